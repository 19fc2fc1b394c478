"""Remedies in errors: the options and commands that they name are there, where the user types them."""

import argparse
import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from espnet2_valle.commands import COMMANDS, OF_THE_RECIPE, OLD_SCRIPTS
from espnet2_valle.recipe.options import FIELDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "espnet2_valle"
RUN = {f"--{name}" for name in FIELDS}
# What run.sh starts, and its options whose value goes on to it.
PASSED_ON = {
    "prepare_mini": ("--local_data_opts",),
    "prepare_mini_x": ("--local_data_opts",),
    "prepare_mini_emo": ("--local_data_opts",),
    "prepare_folder": ("--local_data_opts",),
    "prepare_corpus": ("--local_data_opts",),
    "valle_train": ("--ar_args", "--nar_args", "--train_args"),
    "valle_inference": ("--inference_args",),
    "baseline_train": ("--baseline_args",),
}
# Errors of what run.sh asks for itself, whose options it gives itself, or of one text, which it never says.
NOT_BY_RUN = {"generate/say.py", "generate/arguments.py", "tasks/valle.py", "data/layout.py"}
NOT_BY_RUN |= {f"generate/{name}.py" for name in ("playback", "prepare_prompt", "sentences")}
GIVEN = {"--config"}  # by run.sh, from options of its own
OPTION = re.compile(r"--(?!help)[a-z]\w*")
QUOTED = re.compile(r"(--\w+) [\"']([^\"']*)[\"']")  # an option of run.sh and options that go on


class Remedy(NamedTuple):
    """A remedy, with X for what is filled in."""

    file: Path
    line: int
    text: str

    def __str__(self):
        return f"{self.file.relative_to(PACKAGE)}:{self.line}"


@cache
def tree(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def text_of(node, names):
    """A text as far as it stands in the source."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(one.value if isinstance(one, ast.Constant) else "X" for one in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left, names) + text_of(node.right, names)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body, names)} {text_of(node.orelse, names)}"
    if isinstance(node, ast.BoolOp):
        return " ".join(text_of(one, names) for one in node.values)
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def remedies():
    """Third arguments of InputError and WorkError, and what is named `remedy`, all over the package."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        names = {
            node.targets[0].id: text_of(node.value, {})
            for node in ast.walk(tree(file))
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = (
                node.args[2:3]
                if called in ("InputError", "WorkError")
                else node.args[1:2] * (called == "check_file")
            )
            given = [*given, *(word.value for word in node.keywords if word.arg == "remedy")]
            found += [Remedy(file, node.lineno, text_of(one, names)) for one in given]
    return [one for one in found if one.text]


REMEDIES = remedies()
WITH_OPTIONS = [one for one in REMEDIES if OPTION.search(one.text)]


def module_file(name):
    path = ROOT.joinpath(*name.split("."))
    file = path.with_suffix(".py")
    return file if file.is_file() else path / "__init__.py" if path.is_dir() else None


@cache
def imported(file):
    """Files of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree(file)):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
        found |= {module_file(name) for name in names if name.startswith("espnet2_valle")}
    return found - {None}


@cache
def reached(module):
    """Files that a command can come to; modules that a registry finds by name count with it."""
    start = [PACKAGE / "bin" / f"{module}.py", PACKAGE / "common" / "cli.py"]
    if module == "benchmark":
        start += PACKAGE.glob("bench/*.py")
    seen, todo = set(), start
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += imported(file)
            if file.name == "registry.py" or "= Registry(" in file.read_text(encoding="utf-8"):
                todo += file.parent.glob("*.py")
    return seen


@cache
def options_of(module):
    """Options of a module of bin, of each of its commands."""
    if module in OF_THE_RECIPE:
        return RUN
    parser_of = import_module(f"espnet2_valle.bin.{module}").get_parser
    found = set()
    for command in COMMANDS:
        if command.module == module:
            actions = [*parser_of(*([command.argument] if command.argument else []))._actions]
            for action in actions:
                found |= set(action.option_strings)
                if isinstance(action, argparse._SubParsersAction):
                    actions += action.choices[command.argument]._actions
    return found


def test_there_are_many_remedies():
    assert len(REMEDIES) > 300
    assert len(WITH_OPTIONS) > 60


@pytest.mark.parametrize("remedy", WITH_OPTIONS, ids=str)
def test_options_that_a_remedy_names_are_there(remedy):
    reaching = [
        module
        for module in sorted({*OF_THE_RECIPE, *(command.module for command in COMMANDS)})
        if remedy.file in reached(module)
    ]
    assert reaching, "no command comes here"
    for way, quoted in QUOTED.findall(remedy.text):
        modules = [module for module, ways in PASSED_ON.items() if way in ways]
        for option in OPTION.findall(quoted):
            assert any(option in options_of(module) for module in modules), remedy.text
    outside = set(OPTION.findall(QUOTED.sub(r"\1", remedy.text)))
    for option in outside:
        having = [module for module in reaching if option in options_of(module)]
        assert having or option in RUN, f"no command that can say it has {option}: {remedy.text}"
        ways = [PASSED_ON[module] for module in having if module in PASSED_ON]
        if (
            option in GIVEN
            or option in RUN
            or not ways
            or str(remedy.file.relative_to(PACKAGE)) in NOT_BY_RUN
        ):
            continue
        named = any(way in remedy.text for each in ways for way in each)
        named = named or ("run.sh" in remedy.text and outside & RUN)
        assert named, f"run.sh takes {option} in {ways}: {remedy.text}"


@pytest.mark.parametrize(
    "remedy", [one for one in REMEDIES if "valle" in one.text or "`" in one.text], ids=str
)
def test_commands_that_a_remedy_names_are_there(remedy):
    known = {command.words for command in COMMANDS}
    for words in re.findall(r"`valle ([^`]*)`", remedy.text) + re.findall(r": valle ([a-z ]+)", remedy.text):
        name = words.split(" --")[0].strip()
        assert "X" in name or name in known, remedy.text
        command = next((one for one in COMMANDS if one.words == name), None)
        for option in OPTION.findall(words):
            assert option in options_of(command.module), remedy.text


@pytest.mark.parametrize("remedy", REMEDIES, ids=str)
def test_no_remedy_names_what_commands_were_called(remedy):
    modules = {command.module for command in COMMANDS if "_" in command.module}
    assert not set(re.findall(r"\w+", OPTION.sub("", remedy.text))) & ({*OLD_SCRIPTS} | modules), remedy.text
