"""The command `valle`: its table, its help, the names that it had before, and what every command promises."""

import os
import re
import subprocess
import sys
from importlib import import_module, util
from pathlib import Path

import pytest

import espnet2_valle.__main__ as valle
from espnet2_valle.commands import COMMANDS, GROUPS, OF_THE_RECIPE, OLD_SCRIPTS

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / "espnet2_valle" / "bin"


def called(monkeypatch, *words):
    """Call the function that pip's script of that name calls; return the exit status."""
    monkeypatch.setattr(sys, "argv", list(words))
    function = valle.main if words[0] == "valle" else valle.renamed
    try:
        function()
    except SystemExit as ended:
        return ended.code or 0
    return 0


def old_words(command):
    return [*command.old.split(), "--help"]


def test_every_module_of_bin_is_in_the_table():
    modules = {command.module for command in COMMANDS}
    assert not modules & {*OF_THE_RECIPE}
    assert modules | {*OF_THE_RECIPE} == {path.stem for path in BIN.glob("[!_]*.py")}
    assert len({command.words for command in COMMANDS}) == len(COMMANDS)
    assert {command.words.split()[0] for command in COMMANDS if " " in command.words} == set(GROUPS)
    benchmarks = {command.argument for command in COMMANDS if command.module == "benchmark"}
    bench = (ROOT / "espnet2_valle" / "bench").glob("*.py")
    with_one = {path.stem for path in bench if "\ndef measure(" in path.read_text()}
    assert benchmarks == with_one


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_a_command_and_its_old_name_show_its_help(command, monkeypatch, capsys):
    assert called(monkeypatch, "valle", *command.words.split(), "--help") == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"usage: valle {command.words} ")
    assert "is called" not in said.err
    if not command.old:
        return
    assert called(monkeypatch, *old_words(command)) == 0
    again = capsys.readouterr()
    assert again.out == said.out
    assert again.err.count(f"{command.old.split()[0]} is called `valle {command.words}` now") == 1


@pytest.mark.parametrize("module", sorted({*OF_THE_RECIPE, *(command.module for command in COMMANDS)}))
def test_a_module_of_bin_has_a_parser_and_can_be_started_by_itself(module):
    assert callable(import_module(f"espnet2_valle.bin.{module}").get_parser)
    assert (BIN / f"{module}.py").read_text().endswith('if __name__ == "__main__":\n    run_command(main)\n')


@pytest.mark.parametrize("script", ["valle_listening_test", "valle_benchmark"])
def test_an_old_name_of_several_commands_lists_them(script, monkeypatch, capsys):
    assert called(monkeypatch, script, "--help") == 0
    said = capsys.readouterr()
    group = script.split("_")[1]
    assert said.out == valle.group_help(group) + "\n"
    assert f"`valle {group}`" in said.err


def test_an_old_name_of_several_commands_needs_one_of_them(monkeypatch):
    assert "no command 'decod'" in called(monkeypatch, "valle_benchmark", "decod", "--seconds", "1")


def test_the_word_that_chose_is_not_handed_on(monkeypatch):
    ran = []
    monkeypatch.setattr(valle, "run", lambda command, options: ran.append((command.words, list(options))))
    called(monkeypatch, "valle_listening_test", "--test_dir", "T", "--serve", "--port", "0")
    called(monkeypatch, "valle_benchmark", "threads", "--config", "train")
    called(monkeypatch, "valle_score", "--seed", "1")
    assert ran == [
        ("listening serve", ["--test_dir", "T", "--port", "0"]),
        ("benchmark threads", ["--config", "train"]),
        ("evaluate", ["--seed", "1"]),
    ]


def test_setup_registers_each_script_once(monkeypatch):
    import setuptools

    given = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    spec = util.spec_from_file_location("setup_of_the_package", ROOT / "setup.py")
    spec.loader.exec_module(util.module_from_spec(spec))
    scripts = [entry.partition("=") for entry in given["entry_points"]["console_scripts"]]
    assert [name for name, _, _ in scripts] == ["valle", *OLD_SCRIPTS]
    for _, _, target in scripts:
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function))
    assert len(OLD_SCRIPTS) == 32


@pytest.mark.parametrize("words", [[], ["--help"], *([group, "--help"] for group in GROUPS)], ids=" ".join)
def test_help_lists_commands_and_loads_no_torch(words):
    code = (
        "import sys\nfrom espnet2_valle.__main__ import main\n"
        f"sys.argv = {['valle', *words]}\nmain()\n"
        "print([name for name in ('torch', 'espnet2', 'numpy', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    *help_lines, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    group = words[0] if words and words[0] in GROUPS else ""
    listed = {line.split()[0] for line in help_lines if line.startswith("  ") and "usage" not in line}
    expected = {
        command.words.removeprefix(f"{group} ") for command in COMMANDS if valle.in_group(command, group)
    }
    assert expected <= listed


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["evalute"], "evaluate"),
        (["data", "mni"], "data mini"),
        (["bechmark"], "benchmark"),
        (["benchmark", "decoed"], "benchmark decode"),
        (["prepare_mini"], "data mini"),
    ],
)
def test_an_unknown_command_names_the_nearest(words, nearest):
    done = subprocess.run(
        [sys.executable, "-m", "espnet2_valle", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: valle{' ' + words[0] if len(words) > 1 else ''}: there is no command")
    assert f"Did you mean `valle {nearest}`?" in line


def test_an_old_script_runs_as_a_program(tmp_path):
    """As pip writes it: a file of the old name, which calls the function."""
    script = tmp_path / "valle_format_data"
    script.write_text("import sys\nfrom espnet2_valle.__main__ import renamed\nsys.exit(renamed())\n")
    words = ["--data_dir", str(tmp_path / "no"), "--output_dir", "x", "--fs", "8000"]
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, cwd=ROOT, env=with_root()
    )
    told, error = done.stderr.splitlines()
    assert "`valle data format`" in told
    assert error.startswith(f"error: {tmp_path / 'no'}: no such data directory")
    assert done.returncode == 1


def with_root():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_only_a_benchmark_of_a_command_starts_one_by_its_name():
    """What the import contract cannot see."""
    files = [path for path in (ROOT / "espnet2_valle").rglob("*.py") if path.parent != BIN]
    assert len(files) > 100
    naming = {
        path.name
        for path in files
        if re.search(r"espnet2_valle\.bin|\"-m\", (?!\"espnet2\.)", path.read_text())
    }
    assert naming == {"__main__.py", "longform.py", "service.py"}
