"""Targets that are shared with codes of nearly the same sound: how far, and where that is refused."""

import logging

import numpy as np
import pytest
import torch
from training_samples import options

from espnet2_valle.common.conf import find, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask

OF_ENCODEC = 128  # dimensions


class Codewords:
    """A codec of two codebooks."""

    def __init__(self, size, dim):
        rng = np.random.default_rng(0)
        self.points = [rng.standard_normal((size, dim)).astype(np.float32) for _ in range(4)]

    def codewords(self):
        return self.points


@pytest.fixture
def build(archive, monkeypatch):
    """A NAR model of a training with these options, of a codec whose codewords have `dim` dimensions."""

    def make(*more, valle="nar", dim=3):
        codec = Codewords(16, dim)
        monkeypatch.setattr("espnet2_valle.tasks.codewords.load_codec", lambda config: codec)
        args = VALLETask.get_parser().parse_args([*options(archive, valle), *more])
        return VALLETask.build_model(args), [torch.from_numpy(points) for points in codec.points]

    return make


@pytest.mark.parametrize("dim", [1, 3, OF_ENCODEC])
def test_the_right_code_keeps_what_is_asked_for_whatever_the_codec(build, caplog, dim):
    caplog.set_level(logging.INFO)
    model, _ = build("--codeword_smoothing_mass=0.8", dim=dim)
    kept = model.neighbourhoods.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(kept, torch.full_like(kept, 0.8), atol=1e-3, rtol=0)
    assert (
        "--codeword_smoothing_mass: targets keep 80.0%, 80.0%, 80.0%, 80.0% for the right code" in caplog.text
    )


def test_mini_leaves_half_of_a_target_for_the_right_code(build):
    """With the options of its config, which these tests turn off otherwise."""
    config = read_config(find("train_nar_mini.yaml"))
    given = {key: value for key, value in config.items() if key.startswith("codeword_")}
    assert given == {"codeword_init": True, "codeword_smoothing_mass": 0.5}
    model, _ = build(*(f"--{key}={value}" for key, value in given.items()))
    kept = model.neighbourhoods.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(kept, torch.full_like(kept, 0.5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("given", ["1.0", "0"])
def test_a_width_of_before_is_not_taken_for_a_mass(build, given):
    with pytest.raises(SystemExit):
        build(f"--codeword_smoothing={given}")


def test_the_papers_sizes_share_no_targets():
    for size in ("base", "paper"):
        assert not [key for key in read_config(find(f"train_nar_{size}.yaml")) if key.startswith("codeword_")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--codeword_smoothing_mass=0.49"], "0.49 leaves the right code no majority"),
        (["--codeword_smoothing_mass=1.1"], "Give from 0.5 to 1"),
        (["--codeword_smoothing_mass=0"], "0.0 leaves the right code no majority"),
    ],
)
def test_what_cannot_be_is_refused(build, given, message):
    with pytest.raises(InputError, match=message):
        build(*given)


def test_the_ar_model_which_predicts_the_end_too_has_none(build):
    with pytest.raises(InputError, match="--codeword_smoothing_mass: --valle ar also predicts the end"):
        build("--codeword_smoothing_mass=0.8", valle="ar")


def test_without_smoothing_the_codec_is_not_opened(build):
    assert build()[0].neighbourhoods is None
