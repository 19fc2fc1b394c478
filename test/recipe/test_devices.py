"""What `--gpu_inference true` reaches: each command of the recipe that knows a device or a batch size."""

import re
from importlib import import_module
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "egs2" / "valle"
COMMAND = re.compile(r"-m espnet2_valle\.bin\.(\w+) ([^\n]*)")


def commands():
    """Module and words of each command, wherever it stands."""
    for script in (RECIPE / "valle.sh", RECIPE / "utils" / "baseline.sh"):
        text = script.read_text(encoding="utf-8").replace("\\\n", " ")
        yield from COMMAND.findall(text)


def with_option(name):
    """Commands that have an option; trainings, which have --ngpu, go by that."""
    for module, words in commands():
        parser = getattr(import_module(f"espnet2_valle.bin.{module}"), "get_parser", None)
        known = {option for action in parser()._actions for option in action.option_strings} if parser else ()
        if name in known and "--ngpu" not in known:
            yield module, words


@pytest.mark.parametrize(("option", "variable"), [("--device", "device"), ("--batch_size", "batch_size")])
def test_each_command_gets_what_the_run_computes_on(option, variable):
    known = dict(with_option(option))
    assert {"codec_tokenize", "valle_inference"} <= known.keys()
    if option == "--device":
        assert {"codec_resynthesize", "score", "speaker_embed", "baseline_durations"} <= known.keys()
        assert "baseline_inference" in known
    for module, words in known.items():
        assert f'{option} "${{{variable}}}"' in words, module
