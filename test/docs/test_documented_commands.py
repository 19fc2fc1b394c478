"""Every command that README, CONTRIBUTING and docs/ show: its program, options and files are there."""

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import import_module

import pytest
from pages import PAGES, ROOT, inline_code, shell_commands, simple_commands

from espnet2_valle.commands import COMMANDS
from espnet2_valle.corpus.named import corpus_names
from espnet2_valle.recipe.corpora import EMBEDDED, FOLDER

RECIPE = ROOT / "egs2" / "valle"
BY_WORDS = {tuple(command.words.split()): command for command in COMMANDS}
# Options of run.sh whose value is a list of options of a command.
PASSED_ON = {
    "ar_args": "train",
    "nar_args": "train",
    "train_args": "train",
    "inference_args": "say",
}
OTHERS = {"aplay", "apt", "echo", "hf", "pre-commit", "."}  # programs that are not ours
OF_OTHERS = {"comparison.md", "faithfulness.md"}  # which name options of other implementations
OF_OTHER_PROGRAMS = {"--adapter"}  # options that a page speaks of without a command


@cache
def recipe_options():
    """Options of run.sh, as its help lists them."""
    shown = subprocess.run([RECIPE / "run.sh", "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^ *--(\w+)", shown, re.MULTILINE))


@cache
def parser_of(words):
    """Parser of a command of `valle`, and the words that come before the user's."""
    command = BY_WORDS[words]
    before = [command.argument] if command.argument else []
    return import_module(f"espnet2_valle.bin.{command.module}").get_parser(*before), before


def command_words(words):
    """How many of the words after `valle` name the command."""
    return next((n for n in (1, 2) if words[:n] in BY_WORDS), 0)


def check_valle(words, where):
    if words == ("--help",):
        return
    count = command_words(words)
    assert count, f"{where}: there is no command valle {' '.join(words[:2])}"
    parser, before = parser_of(words[:count])
    error = io.StringIO()
    try:
        with contextlib.redirect_stderr(error):
            parser.parse_args([*before, *words[count:]])
    except SystemExit as ended:
        raise AssertionError(f"{where}: valle {' '.join(words)}: {error.getvalue()}") from ended


def check_recipe(words, where):
    """Options and values of run.sh; files are as seen from its folder."""
    options = list(words)
    while options:
        name = options.pop(0)
        assert name.startswith("--"), f"{where}: {name} is no option of run.sh"
        name = name.removeprefix("--")
        if name == "help":
            continue
        assert name in recipe_options(), f"{where}: run.sh has no option --{name}"
        assert options, f"{where}: --{name} has no value"
        value = options.pop(0)
        if value.startswith("../../conf/"):
            assert (RECIPE / value).is_file(), f"{where}: there is no {value} in {RECIPE}"
        if name == "corpus":
            known = {*EMBEDDED, FOLDER, *corpus_names()}
            assert {*value.split()} <= known, f"{where}: there is no corpus {value}"
        if name in PASSED_ON:
            check_options_of(PASSED_ON[name], value, where)


def check_options_of(name, line, where):
    """A list of options without those that the recipe gives."""
    known = {option for action in parser_of((name,))[0]._actions for option in action.option_strings}
    for word in line.split():
        assert not word.startswith("--") or word in known, f"{where}: valle {name} has no option {word}"


def check(words, folder, where):
    """Check a command of a page."""
    program, *rest = words
    if program in ("egs2/valle/run.sh", "./run.sh", "run.sh"):
        assert program == "run.sh" or (folder / program).is_file(), f"{where}: no {program} in {folder}"
        check_recipe(rest, where)
    elif program == "test/run.sh":
        assert (folder / program).is_file()
        assert rest in ([], ["--quick", "true"]), where
    elif program == "valle":
        check_valle(tuple(rest), where)
        for word in rest:
            if word.startswith("conf/"):
                assert (ROOT / word).is_file(), f"{where}: there is no {word}"
    elif program in ("python", "pip"):
        check_python(program, rest, where)
    else:
        assert program in OTHERS, f"{where}: {program} is neither ours nor known"


def check_python(program, rest, where):
    """Extras that `pip install` names, and tests that pytest is to run."""
    for word in rest:
        if program == "pip" and (extras := re.fullmatch(r"\.\[(.*)\]", word)):
            setup = (ROOT / "setup.py").read_text(encoding="utf-8")
            for extra in extras[1].split(","):
                assert f'"{extra}": [' in setup, f"{where}: there is no extra {extra}"
        if word.startswith("test/"):
            assert (ROOT / word).exists(), f"{where}: there is no {word}"


@pytest.mark.parametrize(
    "command", shell_commands(), ids=lambda one: f"{one.where} {' '.join(one.words)[:60]}"
)
def test_a_command_of_a_block_is_understood(command, monkeypatch):
    monkeypatch.chdir(command.folder)
    check(command.words, command.folder, command.where)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_are_there(page):
    for code in inline_code(page):
        for words in simple_commands(code):
            if words[0] == "valle" and len(words) > 1:
                count = command_words(tuple(words[1:]))
                assert count, f"{page.name}: `{code}`"
                check_options_of_text(" ".join(words[1 : 1 + count]), words[1 + count :], page, code)
            elif words[0] == "run.sh":
                check(tuple(words), RECIPE, f"{page.name}: `{code}`")


def check_options_of_text(name, words, page, code):
    """Options of a command that is named without what it requires."""
    known = option_names(parser_of(tuple(name.split()))[0])
    for word in words:
        assert not word.startswith("--") or word in known, f"{page.name}: `{code}` has no option {word}"


def option_names(parser):
    """Every option of a parser and of its sub-commands."""
    names = set()
    for action in parser._actions:
        names.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                names |= option_names(each)
    return names


def test_options_in_the_text_are_those_of_some_command():
    known = {f"--{name}" for name in recipe_options()} | OF_OTHER_PROGRAMS | {"--help", "--quick"}
    for words in BY_WORDS:
        known |= option_names(parser_of(words)[0])
    for page in PAGES:
        if page.name in OF_OTHERS:
            continue
        for code in inline_code(page):
            for option in re.findall(r"(?<![\w-])--\w[\w-]*", code):
                assert option in known, f"{page.name}: `{code}`: no command has {option}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What git would clone, in an empty folder, with `valle` on the path."""
    folder = tmp_path_factory.mktemp("clone")
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", "exp", "dump", "data", ".*_cache")
    for name in ("egs2", "conf", "espnet2_valle"):
        ignore = left_out if name == "egs2" else shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    (folder / "bin").mkdir()
    script = folder / "bin" / "valle"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m espnet2_valle "$@"\n')
    script.chmod(0o755)
    return folder


SHORT = (
    "egs2/valle/run.sh --help",
    "valle --help",
    "valle plan --config conf/train_ar_12b.yaml --num_gpus 64 256",
)


@pytest.mark.parametrize("line", SHORT)
def test_a_short_command_runs_from_a_clone(line, clone):
    assert any(line == " ".join(one.words) for one in shell_commands()), "no page shows it"
    environment = {**os.environ, "PATH": f"{clone}/bin:{os.environ['PATH']}", "PYTHONPATH": str(clone)}
    ended = subprocess.run(line.split(), cwd=clone, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout
