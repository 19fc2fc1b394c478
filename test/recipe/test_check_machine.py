"""What the set-up says of a machine before it calls pip; what the machine has is made up."""

import importlib.util
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "egs2" / "valle" / "utils" / "check_machine.py"
Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def check(tmp_path, monkeypatch):
    """The script, on a machine that has everything but wheels of its own."""
    spec = importlib.util.spec_from_file_location("check_machine", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "Python.h").touch()
    (tmp_path / "wheels").mkdir()
    for variable in ("CC", "CXX"):
        monkeypatch.setenv(variable, program(tmp_path / variable, ": >test"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setattr(module.sysconfig, "get_path", lambda name: str(tmp_path / name))
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: Disk(10**12, 0, 10**12))
    monkeypatch.setattr(module, "find_spec", lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(sys, "argv", ["check_machine.py", str(tmp_path)])
    return module


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def said(check):
    """What it says is missing, line by line."""
    with pytest.raises(SystemExit) as caught:
        check.main()
    first, *missing, last = str(caught.value).splitlines()
    assert first == "error: this machine lacks what the installation needs:"
    assert "activate an environment that has ESPnet" in last
    return missing


def test_a_machine_that_has_all_is_told_nothing(check, capsys):
    check.main()
    assert capsys.readouterr() == ("", "")


def test_a_compiler_that_is_not_there(check, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", f"{tmp_path}/no_g++ -O2")
    (line,) = said(check)
    assert line.startswith(f"- a C++ compiler that works (CXX is '{tmp_path}/no_g++ -O2': No such file")
    assert line.endswith("install one (Debian, Ubuntu: apt install g++), or name yours in CXX")


def test_a_compiler_that_fails_is_quoted(check, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", program(tmp_path / "bad", "echo no cc1 >&2; echo more >&2; exit 1"))
    assert said(check)[0].startswith(f"- a C compiler that works (CC is '{tmp_path}/bad': no cc1)")


def test_a_compiler_that_only_says_that_it_succeeded(check, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", program(tmp_path / "true", "exit 0"))
    assert "made no program" in said(check)[0]


def test_a_compiler_that_does_not_end(check, monkeypatch, tmp_path):
    monkeypatch.setattr(check, "COMPILER_SECONDS", 0.1)
    monkeypatch.setenv("CC", program(tmp_path / "slow", "exec sleep 60"))
    assert "did not end within 0.1 s" in said(check)[0]


def test_a_name_of_a_compiler_that_is_empty_is_pythons_own(check, monkeypatch):
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr(check.sysconfig, "get_config_var", lambda name: f"pythons_{name} -pthread")
    assert "CC is 'pythons_CC -pthread'" in said(check)[0]


def test_no_headers(check, tmp_path):
    (tmp_path / "include" / "Python.h").unlink()
    (line,) = said(check)
    assert f"Python's headers ({tmp_path}/include/Python.h)" in line
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-dev" in line


def test_a_python_without_its_venv_module(check, monkeypatch):
    monkeypatch.setattr(check, "find_spec", lambda name: None if name == "ensurepip" else name)
    assert said(check) == [
        f"- the venv module of {sys.executable}: install it (Debian, Ubuntu: apt install python3-venv)"
    ]


@pytest.mark.parametrize(("home", "needed"), [("/proc", 10), ("/proc/none", 10), (".", 13)])
def test_a_small_disk(check, monkeypatch, tmp_path, home, needed):
    """pip's cache lies in the home."""
    monkeypatch.setenv("HOME", str(tmp_path / home))
    monkeypatch.setattr(check.shutil, "disk_usage", lambda folder: Disk(10**12, 0, 1e9 * needed))
    check.main()
    monkeypatch.setattr(check.shutil, "disk_usage", lambda folder: Disk(10**12, 0, 1e9 * needed - 6e7))
    free = f"{needed - 1}.9 GB are free"
    assert said(check) == [f"- {needed} GB of disk ({tmp_path}: {free}): free some, or clone to another disk"]


def test_a_checkout_that_takes_no_files(check, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["check_machine.py", "/proc"])  # not even root's
    (line,) = said(check)
    assert line.startswith("- a checkout that takes files (/proc: ")


def test_all_is_said_at_once(check, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "/no/cc")
    monkeypatch.setenv("CXX", "/no/c++")
    (tmp_path / "include" / "Python.h").unlink()
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    monkeypatch.setattr(check.shutil, "disk_usage", lambda folder: Disk(10**12, 0, 0))
    words = ["venv", "GB of disk", "a C compiler", "a C++ compiler", "headers"]
    assert [word in line for word, line in zip(words, said(check), strict=True)] == [True] * len(words)


def test_where_pip_gets_wheels_no_compiler_is_asked_for(check, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "/no/c++")
    for name in check.COMPILED:
        assert "a C++ compiler" in said(check)[0]
        wheel(tmp_path / "wheels", name)
    check.main()


@pytest.mark.parametrize(("version", "asked"), [((3, 12, 9), False), ((3, 13, 0), True)])
def test_new_pythons_need_cmake(check, monkeypatch, tmp_path, version, asked):
    monkeypatch.setattr(check.sys, "version_info", version)
    monkeypatch.setenv("PATH", str(tmp_path / "wheels"))
    monkeypatch.setattr(check, "pip_has_wheels", lambda packages: False)
    if asked:
        assert said(check) == [
            "- cmake, for this version of Python: install it (Debian, Ubuntu: apt install cmake)"
        ]
        program(tmp_path / "wheels" / "cmake", "")
    check.main()


def wheel(folder, name):
    """A wheel with nothing in it."""
    about = f"{name}-9.dist-info"
    with ZipFile(folder / f"{name}-9-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 9\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")


def test_on_this_machine_it_is_a_matter_of_seconds(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0 or done.stderr.startswith("error: this machine lacks"), done.stderr
