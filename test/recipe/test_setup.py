"""The set-up of run.sh and test/run.sh, with a python that only writes down what it was asked."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from runpy import run_path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "egs2" / "valle" / "utils"
FAKE_PYTHON = """#!/bin/bash
case "$*" in
*find_spec*) exit 1 ;;
*install_env.py*) PYTHONHOME={home} exec -a "$0" {real} "$@" ;; # which takes this script for its Python
*check_machine.py*)
    echo "checked" >>"{log}"
    [ ! -e "{folder}/lacking" ] || {{ echo "error: this machine lacks all" >&2; exit 1; }} ;;
"-m pip cache dir") echo "{folder}/pip_cache" ;;
"-m venv "*)
    [ ! -e "{folder}/slow" ] || sleep 2
    echo "venv" >>"{log}"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python3" ;;
"-m pip "*)
    echo "$* tmp=$TMPDIR cache=$([ "$PIP_NO_CACHE_DIR" ] || echo yes)" >>"{log}"
    [ ! -e "{folder}/no_network" ] ;;
-c*) [ ! -e "{folder}/too_old" ] ;;
--version) echo "Python 3.9.1" ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A checkout, and a PATH on which every python is the fake one."""
    (tmp_path / "root" / "egs2" / "valle").mkdir(parents=True)
    (tmp_path / "root" / "setup.py").write_text("first")
    (tmp_path / "bin").mkdir()
    script = FAKE_PYTHON.format(
        log=tmp_path / "log", folder=tmp_path, home=sys.base_prefix, real=os.path.realpath(sys.executable)
    )
    for name in ("python", "python3", "python3.10", "python3.11", "python3.12", "python3.13"):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run_setup(machine, extras):
    """Run setup_env as run.sh does."""
    return subprocess.run(
        [
            "bash",
            "-c",
            f'set -euo pipefail; . {UTILS}/setup_env.sh; setup_env "$1" "$2"; echo "PYTHON $PYTHON"',
        ]
        + ["-", str(machine / "root"), extras],
        env={"PATH": f"{machine / 'bin'}:/usr/bin:/bin", "HOME": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def setup(machine, extras="espeak,score"):
    """Run setup_env; return its exit status, what it printed, and what python was asked."""
    log = machine / "log"
    log.write_text("")
    done = run_setup(machine, extras)
    return done.returncode, done.stdout + done.stderr, log.read_text().splitlines()


def test_a_bare_machine_gets_a_venv_once(machine):
    status, printed, asked = setup(machine)
    assert status == 0, printed
    assert asked[:2] == ["checked", "venv"]
    assert f"-c {UTILS}/constraints.txt -e {machine}/root[espeak,score] " in asked[-1]
    assert f"PYTHON {machine}/root/.venv/bin/python3" in printed
    status, printed, asked = setup(machine)
    assert (status, asked) == (0, [])
    assert "environment: " in printed


def test_a_changed_setup_py_is_installed_into_the_same_venv(machine):
    setup(machine)
    (machine / "root" / "setup.py").write_text("second")
    status, _, asked = setup(machine)
    assert status == 0
    assert [line.split()[:3] for line in asked] == [["-m", "pip", "install"]] * 2


def test_more_extras_are_added_and_fewer_are_there_already(machine):
    setup(machine, "espeak")
    assert "[espeak,test] " in setup(machine, "espeak,test")[2][-1]
    assert setup(machine, "espeak")[2] == []


def test_a_failed_installation_says_so_and_is_done_anew(machine):
    (machine / "no_network").touch()
    status, printed, _ = setup(machine)
    assert status == 1
    assert "the installation failed: pip could not install everything" in printed
    assert ".setup.log" in printed
    leftover = machine / "root" / ".venv" / "leftover"
    leftover.touch()
    (machine / "no_network").unlink()
    status, _, asked = setup(machine)
    assert status == 0
    assert "venv" in asked
    assert not leftover.exists()


def test_an_addition_that_fails_leaves_what_was_there(machine):
    setup(machine)
    kept = machine / "root" / ".venv" / "kept"
    kept.touch()
    (machine / "no_network").touch()
    assert setup(machine, "espeak,score,test")[0] == 1
    (machine / "no_network").unlink()
    status, _, asked = setup(machine, "espeak,score")
    assert status == 0
    assert "venv" not in asked
    assert "[espeak,score] " in asked[-1], "what was broken off is not taken for whole"
    assert kept.exists()


def test_two_calls_at_once_install_once(machine):
    (machine / "slow").touch()
    with ThreadPoolExecutor(2) as pool:
        calls = list(pool.map(lambda _: run_setup(machine, "espeak"), range(2)))
    assert [call.returncode for call in calls] == [0, 0]
    assert (machine / "log").read_text().splitlines().count("venv") == 1
    assert sum("another call is installing" in call.stdout for call in calls) == 1


def test_an_unfit_python_is_named(machine):
    (machine / "too_old").touch()
    status, printed, asked = setup(machine)
    assert status == 1
    assert "no Python from 3.10 to 3.13 found (python3 is Python 3.9.1)" in printed
    assert asked == []
    assert "installation failed" not in printed


def test_a_machine_that_lacks_something_ends_before_pip_is_called(machine):
    (machine / "lacking").touch()
    status, printed, asked = setup(machine)
    assert (status, asked) == (1, ["checked"])
    assert printed == "error: this machine lacks all\n"
    (machine / "lacking").unlink()
    assert setup(machine)[0] == 0


def test_pip_unpacks_on_the_disk_that_was_measured(machine):
    _, _, asked = setup(machine)
    assert [f" tmp={machine}/root/.venv/tmp " in line for line in asked[2:]] == [True, True]
    assert not (machine / "root" / ".venv" / "tmp").exists()


def test_pip_does_without_a_cache_that_takes_no_files(machine):
    assert setup(machine)[2][-1].endswith("cache=yes")
    (machine / "pip_cache").rmdir()
    (machine / "pip_cache").write_text("a file, not a folder")
    assert setup(machine, "test")[2][-1].endswith("cache=")


def test_each_package_of_the_tests_is_bounded_by_a_release_that_setup_py_takes():
    core, extras = run_path(str(UTILS / "check_requirements.py"))["read_tables"](ROOT / "setup.py")
    tested = re.search(r'^setup_env "\$\(pwd\)" (\S+)$', (ROOT / "test" / "run.sh").read_text(), re.M)[1]
    lines = (UTILS / "constraints.txt").read_text().splitlines()
    bounds = dict(line.split("<=") for line in lines if not line.startswith("#"))
    for text in [*core, *(text for extra in tested.split(",") for text in extras[extra])]:
        wanted = Requirement(text)
        bound = bounds.get(canonicalize_name(wanted.name))
        assert bound, f"constraints.txt has no line for {wanted.name}"
        assert wanted.specifier.contains(bound), (text, bound)


def check_requirements(root, core, extra):
    (root / "setup.py").write_text(f"CORE = {core!r}\nEXTRAS = {{'more': {extra!r}}}\n")
    return subprocess.run(
        [sys.executable, str(UTILS / "check_requirements.py"), str(root), "more"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_active_environment_is_told(tmp_path):
    done = check_requirements(tmp_path, ["torch>=1", "espnet==1.0"], ["numpy"])
    assert done.returncode == 0
    assert done.stdout.startswith(f"environment: {sys.executable}, active (espnet ")


def test_what_an_active_environment_lacks_is_named_with_the_command(tmp_path):
    done = check_requirements(tmp_path, ["torch>=1"], ["no-such-package>=2", "numpy>=99"])
    assert done.returncode == 1
    assert f"{sys.executable} -m pip install 'no-such-package>=2' 'numpy>=99'" in done.stderr


def test_the_real_list_fits_this_environment():
    done = subprocess.run(
        [sys.executable, str(UTILS / "check_requirements.py"), str(ROOT), "espeak,score"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
