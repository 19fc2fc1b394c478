"""The options that all commands that speak share."""

import argparse
import json

import pytest
from espnet2.utils import config_argparse

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component, Registry
from espnet2_valle.generate import open_model as model_options


def parse(*options) -> argparse.Namespace:
    parser = config_argparse.ArgumentParser()
    model_options.add_model_arguments(parser)
    return parser.parse_args([*options, "--codec_config=codec.yaml"])


class Deaf(AbsRecognizer):
    """Hears nothing."""

    def __init__(self, ears: int = 2):
        self.ears = ears

    def transcribe(self, wav, rate):
        return ""


@pytest.fixture
def deaf(monkeypatch):
    monkeypatch.setattr(model_options, "CHOOSERS", Registry("chooser", {"deaf": Deaf}))


def test_by_default_the_likeliest_is_kept():
    options = model_options.model_options(parse("--best_of=3"))
    assert options["best_of"] == 3
    assert model_options.chooser(options) is None


def test_a_recogniser_and_its_options(deaf):
    args = parse("--best_of=5", "--chooser=deaf", "--chooser_conf", "ears=1")
    options = model_options.model_options(args)
    assert model_options.chooser(json.loads(json.dumps(options))) == Component("deaf", (("ears", 1),))


def test_they_may_stand_in_a_file(deaf, tmp_path):
    (tmp_path / "decode.yaml").write_text("best_of: 5\nchooser: deaf\nchooser_conf:\n  ears: 3\n")
    options = model_options.model_options(parse(f"--config={tmp_path}/decode.yaml"))
    assert model_options.chooser(options) == Component("deaf", (("ears", 3),))


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
        model_options.model_options(parse(*options))


def test_the_model_gets_the_recogniser(deaf, monkeypatch):
    given = {}
    options = model_options.model_options(parse("--best_of=2", "--chooser=deaf"))
    monkeypatch.setattr(model_options, "Text2Speech", lambda **options: given.update(options))
    model_options.open_text2speech.__wrapped__(json.dumps(options))
    assert isinstance(given.pop("scorer").recognizer, Deaf)
    assert "chooser" not in given
    assert given["best_of"] == 2
