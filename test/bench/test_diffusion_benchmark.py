"""The diffusion benchmark says its speech whole, with as many steps as it is told."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from espnet2_valle.bench import diffusion
from espnet2_valle.bench.speech import speech_codec
from espnet2_valle.common.conf import find
from espnet2_valle.ns2.generation import SolverOptions

SECONDS = 0.6


@pytest.fixture
def args():
    return SimpleNamespace(
        config=str(find("train_ns2_mini.yaml")),
        codec_config=str(find("codec/world.yaml")),
        diffusion_steps=[1, 2],
        solver="ddim",
        dtype="float32",
        seconds=SECONDS,
        prompt_seconds=0.5,
        rounds=1,
        num_threads=1,
    )


def test_a_figure_for_each_number_of_steps(args):
    one, two = diffusion.measure(args)
    assert [each.config["steps"] for each in (one, two)] == [1, 2]
    assert one.value > 0
    assert one.config["parameters"] > 1e6


def test_what_is_said_lasts_as_long_as_was_asked_for(args, monkeypatch):
    codec = speech_codec(Path(args.codec_config))
    wanted = diffusion.something(codec, SECONDS, 0.5)
    assert wanted.durations.sum() == round(SECONDS * codec.spec.frame_rate)
    model = diffusion.planned_ns2(args.config, diffusion.VOCABULARY, diffusion.latent_dim(codec)).eval()
    wav = diffusion.say(model, codec, wanted, SolverOptions(1, "ddim"))
    assert len(wav) == pytest.approx(SECONDS * codec.sample_rate, rel=0.05)
