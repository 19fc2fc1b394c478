"""What commands share."""

import argparse
import errno
import os

import pytest

from espnet2_valle.common.cli import given_options, run_command
from espnet2_valle.common.errors import InputError


def test_options_that_differ_from_their_defaults_are_written_as_they_were_given():
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nj", type=int, default=1)
    words = ["--system", "a=1", "--system", "b=2", "--seed", "3"]
    assert given_options(parser, parser.parse_args([*words, "--nj", "1"])) == words


def test_the_users_mistake_is_one_line(capsys):
    def command(argv):
        raise InputError("--fs", "0 is out of range", "Give 1 or more")

    with pytest.raises(SystemExit) as ended:
        run_command(command)
    assert ended.value.code == "error: --fs: 0 is out of range. Give 1 or more"


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/a/b"),
        IsADirectoryError(errno.EISDIR, "Is a directory", "/a/b"),
        NotADirectoryError(errno.ENOTDIR, "Not a directory", b"/a/b"),
        FileNotFoundError(errno.ENOENT, "No such file", "/a/b"),
        OSError(errno.EROFS, "Read-only file system", "/a/b"),
        OSError(errno.ENAMETOOLONG, "File name too long", "/a/b"),
    ],
)
def test_a_path_that_cannot_be_is_one_line_wherever_it_is_met(error):
    def command(argv):
        raise error

    with pytest.raises(SystemExit) as ended:
        run_command(command)
    assert ended.value.code.startswith(f"error: /a/b: cannot be used ({os.strerror(error.errno)}). Correct")


@pytest.mark.parametrize(
    "error", [OSError("odd"), ConnectionRefusedError(errno.ECONNREFUSED, "no", "/a"), KeyError(1)]
)
def test_other_failures_keep_their_traceback(error):
    def command(argv):
        raise error

    with pytest.raises(type(error)):
        run_command(command)
