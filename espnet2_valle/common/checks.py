"""Options of commands, checked before the work: what they read is there, what they write can be written.

An option of one name means the same in all commands: `--output_dir` is a folder to write to. So its name
tells how it is checked.
"""

import argparse
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError

Check = Callable[[str, str], None]  # of a value, and the option that has it
# What the system says when a path of the user's cannot be; all else is a fault of ours or of the machine.
REFUSALS = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
    + (errno.ENAMETOOLONG, errno.ELOOP)
)
STANDARD_OUTPUT = "-"


def check_output_folder(path: str, option: str) -> None:
    """Raise InputError unless files can be written into a folder, which need not be there yet."""
    if os.path.lexists(path) and not os.path.isdir(path):
        raise InputError(option, f"{path} is no folder", "Name a folder, or move that away")
    _check_writable(path, option, path)


def check_output_file(path: str, option: str) -> None:
    """Raise InputError unless a file can be written there, in place of one that is there."""
    if path == STANDARD_OUTPUT:
        return
    if not path or path.endswith("/") or os.path.isdir(path):
        raise InputError(option, f"'{path}' is a folder", "Name a file")
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(option, f"{path} is a device or the like", "Name a file")
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise InputError(option, f"{path} is write-protected", "Name another file, or allow to write it")
    _check_writable(os.path.dirname(path) or ".", option, path)


def check_output_sound(path: str, option: str) -> None:
    """Raise InputError unless a sound file can be written there, in a format that is known by its suffix."""
    if path == STANDARD_OUTPUT:
        return
    from espnet2_valle.common.audio import check_writable  # which needs libsndfile: not every command does

    check_writable(path, option)
    check_output_file(path, option)


def _check_writable(folder: str, option: str, path: str) -> None:
    """Raise InputError unless files can be written into a folder, or the first above it that is there."""
    found = Path(folder)
    while not os.path.lexists(found):
        found = found.parent
    try:
        _look_at(path)
        with tempfile.TemporaryFile(dir=found):
            pass
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        reason = os.strerror(error.errno)
        raise InputError(option, f"{path} cannot be written ({found}: {reason})", "Name another") from error


def _look_at(path: str) -> None:
    """Raise OSError for a path that no file can have."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.stat(path)


def check_file(problem: str = "no such file", remedy: str = "") -> Check:
    """Check that there is a file, or what can be read like one.

    Args:
        problem: what is said where there is none.
        remedy: what is advised then; default: to correct the option.
    """

    def check(path: str, option: str) -> None:
        if not os.path.exists(path):
            raise InputError(path, problem, remedy or f"Correct {option}")
        if os.path.isdir(path):
            raise InputError(path, "is a folder", f"Give {option} a file")
        if not os.access(path, os.R_OK):
            raise InputError(path, f"cannot be read ({os.strerror(errno.EACCES)})", "Allow to read it")

    return check


def check_folder(problem: str = "no such folder", remedy: str = "") -> Check:
    """Check that there is a folder; see `check_file`."""

    def check(path: str, option: str) -> None:
        if not os.path.exists(path):
            raise InputError(path, problem, remedy or f"Correct {option}")
        if not os.path.isdir(path):
            raise InputError(path, "is no folder", f"Give {option} a folder")

    return check


def check_config(path: str, option: str) -> None:
    """Raise InputError unless there is such a config, here or in the package."""
    from espnet2_valle.common.conf import locate  # which needs YAML: not every command does

    check_file(f"cannot be read ({os.strerror(errno.ENOENT)})")(str(locate(path)), option)


def check_packed(path: str, option: str) -> None:
    """Raise InputError for a zip that is not there, or another file; other names are those of a model zoo."""
    if os.path.isfile(path) and not path.endswith(".zip"):
        raise InputError(path, "is no zip", "Give the model.zip that stage 10 writes")
    if "://" not in path and path.endswith(".zip"):
        check_file("no such packed model", "Run stage 10 first, or correct the path")(path, option)


def check_text(text: str, option: str) -> None:
    """Raise InputError for a text without a letter or digit."""
    if not any(map(str.isalnum, text)):
        raise InputError(option, f"{text!r} has nothing that can be said", "Give some words")


def check_device(device: str, option: str) -> None:
    """Raise InputError for a device that torch does not know or this machine does not have."""
    import torch

    remedy = "Give cpu, or cuda where there is a GPU"
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise InputError(option, f"'{device}' is no device", remedy) from error
    if asked.type == "cuda" and (asked.index or 0) >= torch.cuda.device_count():
        raise InputError(option, f"there is no {device} here ({torch.cuda.device_count()} GPUs)", remedy)


def at_least(least: float) -> Check:
    """Check that a number is not less than another one."""

    def check(value: str, option: str) -> None:
        if not float(value) >= least:
            raise InputError(option, f"{value} is out of range", f"Give {least:g} or more")

    return check


def between(least: float, most: float) -> Check:
    """Check that a number lies between two others, or is one of them."""

    def check(value: str, option: str) -> None:
        if not least <= float(value) <= most:
            raise InputError(option, f"{value} is out of range", f"Give {least:g} to {most:g}")

    return check


def positive(value: str, option: str) -> None:
    """Raise InputError for a number that is not more than 0."""
    if not float(value) > 0:
        raise InputError(option, f"{value} is not positive", "Give more than 0")


WRITTEN = "Run the stage that writes it first"
MODEL = check_file(remedy="Train the model first (stages 5 and 6) or correct the path")
TOKEN_LIST = check_file("no such token list", "Run stage 3 first, or correct the path")
CHECKS: dict[str, Check] = {
    **dict.fromkeys(("output_dir", "demo"), check_output_folder),
    "output_wav": check_output_sound,
    **dict.fromkeys(("output", "json", "report", "results"), check_output_file),
    **dict.fromkeys(
        ("config", "longform_config", "decode_config", "score_config", "card_config", "serve_config"),
        check_config,
    ),
    **dict.fromkeys(("ar_config", "nar_config"), check_config),
    **dict.fromkeys(("ar_train_config", "ar_model_file", "nar_train_config", "nar_model_file"), MODEL),
    **dict.fromkeys(("ns2_train_config", "ns2_model_file"), MODEL),
    "codec_config": check_file("no such codec configuration", "Run stage 4 first, or correct the path"),
    "model_tag": check_packed,
    "pairs": check_file("no such list of pairs", "Run stage 1 first, or correct the path"),
    "data_dir": check_folder("no such data directory", "Run the stage that prepares it first"),
    **dict.fromkeys(
        ("wav_scp", "token_int", "utt2spk", "utt2lang", "utt2emo", "utt2style"), check_file(remedy=WRITTEN)
    ),
    **dict.fromkeys(("raw_dir", "token_dir", "spembs_dir", "durations_dir"), check_folder(remedy=WRITTEN)),
    **dict.fromkeys(("stats_dir", "codes_dir"), check_folder(remedy=WRITTEN)),
    "prompt_speech": check_file("no such audio file"),
    **dict.fromkeys(("prompt", "words"), check_file()),
    "folder": check_folder(),
    "keys": check_file("no such file of keys"),
    "workers": at_least(1),
    "threads": at_least(0),
    **dict.fromkeys(("text", "prompt_text"), check_text),
    "device": check_device,
    **dict.fromkeys(
        ("batch_size", "shard_size", "nbpe", "count", "codebooks", "fs", "num_pairs", "nj"), at_least(1)
    ),
    **dict.fromkeys(("num_gpus", "num_codebooks", "codebook_size", "vocab_size", "num_threads"), at_least(1)),
    **dict.fromkeys(("num_utterances", "num_speakers", "steps", "rounds", "repeats"), at_least(1)),
    **dict.fromkeys(("raters_per_day", "sentences", "num_arks"), at_least(1)),
    **dict.fromkeys(("num_examples", "open_arks", "max_passes"), at_least(0)),
    **dict.fromkeys(("seconds", "first_chunk_seconds", "chunk_seconds", "hours", "passes", "mfu"), positive),
    **dict.fromkeys(("frame_rate", "text_rate"), positive),
    **dict.fromkeys(("max_bad", "test_share", "valid_share"), between(0, 1)),
    "port": between(0, 65535),
}


def check_options(args: argparse.Namespace, **more: Check) -> None:
    """Check options by their names.

    Args:
        args: options of a command; those that are not given count not.
        more: checks of names that mean something else in this command.

    Raises:
        InputError: at the first that cannot be.
    """
    elsewhere = {"device"} if getattr(args, "cluster", None) else set()  # where the workers run
    for name, check in {**CHECKS, **more}.items():
        if name in elsewhere:
            continue
        for value in _values(getattr(args, name, None)):
            check(value, f"--{name}")


def _values(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str | Path | int | float) and not isinstance(one, bool):
            yield str(one)
