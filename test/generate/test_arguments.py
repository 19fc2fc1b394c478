"""The options that all commands that speak share."""

import argparse
import re
from dataclasses import fields

import pytest
import yaml

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.common.conf import find
from espnet2_valle.common.config_parser import ConfigParser
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component, Registry
from espnet2_valle.generate import choosing
from espnet2_valle.generate.arguments import add_model_arguments, model_spec
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.options import DecodingOptions, SamplingOptions
from espnet2_valle.zoo.trained import ModelFiles

CONF = find("decode.yaml")


def parse(*options) -> argparse.Namespace:
    parser = ConfigParser()
    add_model_arguments(parser)
    return parser.parse_args([*options, "--codec_config=codec.yaml"])


class Deaf(AbsRecognizer):
    """Hears nothing."""

    def __init__(self, ears: int = 2):
        self.ears = ears

    def transcribe(self, wav, rate):
        return ""


@pytest.fixture
def deaf(monkeypatch):
    monkeypatch.setattr(choosing, "CHOOSERS", Registry("chooser", {"deaf": Deaf}))


def test_without_options_the_defaults_are_those_of_python():
    assert model_spec(parse()) == ModelSpec(ModelFiles(codec_config="codec.yaml"))


OTHER = {  # of each option a value that is not its default
    "temperature": 0.5,
    "top_k": 3,
    "top_p": 0.5,
    "min_p": 0.1,
    "repetition_window": 10,
    "repetition_threshold": 0.2,
    "repetition_counts_drawn": True,
    "seed": 7,
    "min_duration_ratio": 0.5,
    "max_duration_ratio": 2.0,
    "max_repeat_seconds": 1.5,
    "trim_prompt": False,
    "best_of": 4,
    "retries": 2,
    "nar_choice": "mean",
    "dtype": "int8",
    "native": "never",
    "cuda_graphs": True,
    "chooser": "deaf",
    "chooser_conf": {"ears": 3},
    "lang": "de",
    "prompt_lang": "en",
    "accent": "fr",
    "emotion": "happy:0.6+sad:0.4",
    "emotion_strength": 2.0,
    "emotion_reference": "clip.wav",
    "emotion_recognizer": "exp/mini_emo/emotion",
    "speaking_rate": "4",
    "pitch_level": "1",
    "pitch_variation": "2.5",
    "energy": "5",
    "watermark": "perth",
    "watermark_key": "a secret",
    "watermark_payload": 65535,
}


def test_yaml_command_line_and_python_say_the_same(deaf, tmp_path):
    python = DecodingOptions(**OTHER)
    default = DecodingOptions
    assert OTHER.keys() == {one.name for one in fields(DecodingOptions)}, "a new option belongs in here"
    assert not any(getattr(python, name) == getattr(default, name) for name in OTHER)
    (tmp_path / "decode.yaml").write_text(yaml.safe_dump(OTHER))
    assert model_spec(parse(f"--config={tmp_path}/decode.yaml")).options == python
    plain = [f"--{name}={value}" for name, value in OTHER.items() if name != "chooser_conf"]
    assert model_spec(parse(*plain, "--chooser_conf", "ears=3")).options == python


@pytest.mark.parametrize("name", ["decode.yaml", "decode_paper.yaml"])
def test_shipped_configurations_name_every_option(name):
    given = yaml.safe_load(find(name).read_text())
    assert given.keys() == {one.name for one in fields(DecodingOptions)}
    assert model_spec(parse(f"--config={find(name)}")).options == DecodingOptions(**given)


def test_the_papers_decoding_is_sampling_and_nothing_else():
    """VALL-E, sec. 4.3; the rest is what Python's defaults leave alone, or was tuned on mini."""
    options = model_spec(parse(f"--config={find('decode_paper.yaml')}")).options
    assert options.sampling == SamplingOptions(
        temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition_window=0
    )
    assert (options.best_of, options.retries, options.max_repeat_seconds) == (1, 0, 0.0)
    assert (options.min_duration_ratio, options.trim_prompt) == (0.0, False)


def test_it_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse("--config=conf/decode.yaml").top_p == 0.6


def test_help_tells_of_every_option_and_its_default():
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    told = re.sub(r"\s+", " ", parser.format_help())
    for one in fields(DecodingOptions):
        assert f"--{one.name}" in told
    assert "keep the k most likely codes; 0 keeps all (default: 0)" in told


def test_by_default_the_likeliest_is_kept():
    options = model_spec(parse("--best_of=3")).options
    assert options.best_of == 3
    assert options.component is None


def test_a_recogniser_and_its_options(deaf):
    spec = model_spec(parse("--best_of=5", "--chooser=deaf", "--chooser_conf", "ears=1"))
    assert spec.options.component == Component("deaf", (("ears", 1),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--chooser=deaf"], "--best_of: 1 leaves --chooser no choice"),
        (["--best_of=2", "--chooser=blind"], "there is no 'blind'. Choose among deaf"),
        (["--best_of=2", "--chooser=deaf", "--chooser_conf", "eyes=1"], "no option 'eyes'"),
        (
            ["--best_of=2", "--chooser_conf", "ears=1"],
            "--chooser_conf: --chooser log_probability has no options",
        ),
    ],
)
def test_choices_that_are_none(deaf, options, message):
    with pytest.raises(InputError, match=message):
        model_spec(parse(*options))
