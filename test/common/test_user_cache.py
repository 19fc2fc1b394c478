"""Where things that can be made again are kept, with homes of all kinds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from espnet2_valle.common import cache
from espnet2_valle.common.cache import user_cache
from espnet2_valle.common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
NO_HOME = "/proc/none"  # takes no files, not even root's
# The environment that the package leaves, and libraries which need what is set in it.
PROGRAM = """
import espnet2_valle
import os
for name in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "USER"):
    print(f"{name}={os.environ.get(name)}")
import librosa, torch._dynamo, matplotlib.pyplot
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A temporary directory of the test's own, and a home that takes no files."""
    monkeypatch.setattr(os, "environ", {**os.environ, "HOME": NO_HOME})  # whatever is set in it
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / f"espnet2_valle-{os.getuid()}"


def test_a_folder_that_the_user_names_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "named"))
    assert user_cache() == tmp_path / "named" / "espnet2_valle"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("named", ["", "not/absolute", NO_HOME])
def test_else_it_lies_in_the_home(tmp_path, monkeypatch, named):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    assert user_cache() == tmp_path / ".cache" / "espnet2_valle"


@pytest.mark.parametrize("found", [None, RuntimeError("Could not determine home directory.")])
def test_without_a_home_that_takes_files_it_is_the_users_alone(temporary, monkeypatch, found):
    if found:

        def home():
            raise found

        monkeypatch.setattr(cache.Path, "home", home)
    for _ in range(2):
        assert user_cache() == temporary / "espnet2_valle"
    assert temporary.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_into_is_refused(temporary):
    temporary.mkdir()
    temporary.chmod(0o770)
    with pytest.raises(InputError, match=r"others may write into it\. Set XDG_CACHE_HOME"):
        user_cache()


def test_a_folder_of_somebody_else_is_refused(temporary, monkeypatch):
    temporary.mkdir(0o700)
    other = os.getuid() + 1
    monkeypatch.setattr(cache.os, "getuid", lambda: other)
    temporary.rename(temporary.with_name(f"espnet2_valle-{other}"))
    with pytest.raises(InputError, match=f"espnet2_valle-{other}: is needed"):
        user_cache()


def test_a_link_to_a_folder_is_refused(temporary, tmp_path):
    (tmp_path / "elsewhere").mkdir(0o700)
    temporary.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="others may write"):
        user_cache()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_no_folder_at_all_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: NO_HOME)
    with pytest.raises(InputError, match=r"nor does the temporary directory .* Set XDG_CACHE_HOME"):
        user_cache()
    cache.use_writable_caches()  # imports go on: most need no cache


def imported(tmp_path, **environment):
    """The environment of a program that imports the package, and then libraries without a complaint."""
    kept = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT), "USER": "me"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return dict(line.split("=") for line in done.stdout.splitlines())


def test_libraries_are_told_of_it(tmp_path, temporary):
    told = imported(tmp_path, HOME=NO_HOME)
    assert told == {
        "HOME": NO_HOME,
        "XDG_CACHE_HOME": str(temporary),
        "MPLCONFIGDIR": f"{temporary}/matplotlib",
        "USER": "me",
    }


def test_what_the_user_has_set_stays(tmp_path):
    settings = {"HOME": NO_HOME, "XDG_CACHE_HOME": f"{tmp_path}/named", "MPLCONFIGDIR": f"{tmp_path}/mine"}
    assert imported(tmp_path, **settings) == {**settings, "USER": "me"}


def test_a_home_that_takes_files_is_left_to_them(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    cache.use_writable_caches()
    assert dict(os.environ) == before


def test_a_user_who_is_but_a_number_gets_a_home_and_a_name(monkeypatch, temporary):
    """As in a container: no variable says who this is, nor does the list of users."""

    def unknown(*_):
        raise KeyError("getpwuid(): uid not found")

    for variable in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    cache.use_writable_caches()
    assert os.environ["HOME"] == os.environ["XDG_CACHE_HOME"] == str(temporary)
    assert os.environ["USER"] == str(os.getuid())
