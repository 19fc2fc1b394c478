"""The console entries, and what every command promises."""

import ast
import sys
from importlib import import_module
from pathlib import Path

import pytest

from espnet2_valle.bin import entry

ROOT = Path(__file__).resolve().parents[2]


def declared():
    """COMMANDS of setup.py."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS":
            return ast.literal_eval(node.value)
    raise AssertionError("setup.py has no COMMANDS")


def test_every_module_of_bin_is_a_command():
    modules = {path.stem for path in (ROOT / "espnet2_valle" / "bin").glob("*.py")}
    assert set(declared()) == modules - {"__init__", "entry", "model_options", "score_inputs"}


@pytest.mark.parametrize("name", declared())
def test_a_command_shows_its_help(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"valle_{name}", "--help"])
    with pytest.raises(SystemExit) as ended:
        getattr(entry, name)()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out
    assert callable(import_module(f"espnet2_valle.bin.{name}").get_parser)


def test_an_input_error_ends_a_command_with_one_line(monkeypatch, tmp_path):
    words = ["valle_format_data", "--data_dir", str(tmp_path / "no"), "--output_dir", "x", "--fs", "8000"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        entry.format_data()
    assert str(ended.value.code).startswith(f"error: {tmp_path / 'no'}: no such data directory")
