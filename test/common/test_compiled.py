"""Compiling on first use: once, anew after damage, and with a reason where it cannot be done."""

import shutil
import subprocess
import sys

import pytest

from espnet2_valle.common import compiled
from espnet2_valle.common.compiled import CompileError, load_library

SOURCE = '#include "number.h"\nextern "C" int answer(void) { return NUMBER; }\n'
compiler = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sources, with a cache and a compiler variable of the test's own."""
    monkeypatch.setattr(compiled, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("CXX", raising=False)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "answer.cpp").write_text(SOURCE)
    (folder / "number.h").write_text("#define NUMBER 42\n")
    return folder


def cached(folder):
    return sorted((folder.parent / "cache" / "compiled").glob("*"))


@compiler
def test_it_is_compiled_once(folder, monkeypatch):
    assert load_library(folder).answer() == 42
    monkeypatch.setattr(compiled, "_run", lambda command: pytest.fail("compiled again"))
    assert load_library(folder).answer() == 42
    assert len(cached(folder)) == 1


@compiler
def test_another_header_is_another_library(folder):
    load_library(folder)
    (folder / "number.h").write_text("#define NUMBER 43\n")
    assert load_library(folder).answer() == 43
    assert len(cached(folder)) == 2


@compiler
@pytest.mark.parametrize("damage", [b"", b"\x7fELF and then nothing", None])
def test_a_damaged_library_is_compiled_anew(folder, damage):
    subprocess.run(_loader(folder), check=True)  # elsewhere: what this process has loaded stays loaded
    (library,) = cached(folder)
    content = library.read_bytes()
    library.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert load_library(folder).answer() == 42


@compiler
def test_two_processes_may_compile_at_once(folder):
    runs = [subprocess.Popen(_loader(folder)) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert len(cached(folder)) == 1


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-compiler", "No such file"),
        ("false", "failed with 1"),
        ("true", "file too short|cannot open"),
    ],
)
def test_a_compiler_that_is_missing_or_broken_is_named(folder, monkeypatch, command, why):
    monkeypatch.setenv("CXX", command)
    with pytest.raises(CompileError, match=why):
        load_library(folder)


@compiler
def test_the_compilers_complaint_is_passed_on(folder):
    (folder / "answer.cpp").write_text("int answer( {")
    with pytest.raises(CompileError, match=r"answer.cpp:1.*error"):
        load_library(folder)
    assert not cached(folder)


def test_a_cache_that_cannot_be_written_is_named(folder):
    (folder.parent / "cache").write_text("a file, not a folder")
    with pytest.raises(CompileError, match="cache"):
        load_library(folder)


def _loader(folder):
    """A command that loads the library in a process of its own."""
    program = f"""
from pathlib import Path
from espnet2_valle.common import compiled
compiled.user_cache = lambda: Path({str(folder.parent / "cache")!r})
assert compiled.load_library(Path({str(folder)!r})).answer() == 42
"""
    return [sys.executable, "-c", program]
