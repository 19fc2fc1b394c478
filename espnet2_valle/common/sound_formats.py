"""Suffixes of sound files: those of formats that libsndfile reads, and how to convert the others."""

import shlex
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import soundfile

# Of each format of libsndfile, the suffixes beside its own name. Left out are RAW, which has no header, and
# .mat, since most such files hold no sound.
_SUFFIXES = {
    "AIFF": ("aif", "aifc"),
    "AU": ("snd",),
    "SVX": ("iff", "8svx"),
    "MPC2K": ("mpc", "snd"),
    "MP3": ("mp2",),
    "OGG": ("oga", "opus"),
    "IRCAM": ("sf",),
    "WAV": ("wave", "bwf"),
    "NIST": ("sph",),
}
_NO_HEADER = "RAW"

# Sound, and films that have some, in formats that libsndfile does not read.
# fmt: off
OTHER_SUFFIXES = frozenset((
    ".3ga", ".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".awb", ".dff", ".dsf", ".eac3",
    ".f4a", ".m4a", ".m4b", ".m4r", ".mka", ".oma", ".ra", ".rm", ".shn", ".spx", ".tak", ".tta",
    ".wma", ".wv",
    ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv",
))
# fmt: on
HEADERLESS_SUFFIXES = frozenset((".raw", ".pcm"))

# Those of which one is taken first where a recording is there in several.
PREFERRED = (".wav", ".flac")


@cache
def readable_suffixes() -> frozenset[str]:
    """Suffixes of the formats that the installed libsndfile reads, in lower case with their dots."""
    formats = [name for name in soundfile.available_formats() if name != _NO_HEADER]
    return frozenset(f".{suffix}" for name in formats for suffix in (name.lower(), *_SUFFIXES.get(name, ())))


def is_readable(path: Path) -> bool:
    """Tell whether the name is that of a sound file that libsndfile reads."""
    return path.suffix.lower() in readable_suffixes()


def is_other_sound(path: Path) -> bool:
    """Tell whether the name is that of sound in a format that libsndfile does not read."""
    return not is_readable(path) and path.suffix.lower() in OTHER_SUFFIXES | HEADERLESS_SUFFIXES


def is_sound(path: Path) -> bool:
    """Tell whether the name is that of sound, whoever reads it."""
    return is_readable(path) or is_other_sound(path)


def preference(path: Path, preferred: Sequence[str] = PREFERRED) -> tuple[bool, int, str]:
    """Sort key of the formats of one recording: what is taken comes first."""
    suffix = path.suffix.lower()
    rank = preferred.index(suffix) if suffix in preferred else len(preferred)
    return not is_readable(path), rank, path.name


def conversion(path: str | Path) -> str:
    """The remedy for a sound file that libsndfile does not read."""
    path = Path(path)
    if path.suffix.lower() in HEADERLESS_SUFFIXES:
        rest = f"ffmpeg -f s16le -ar RATE -ac 1 -i {_quoted(path)} {_quoted(path.with_suffix('.wav'))}"
        return f"Convert it, with the rate and sample format that it was written in: {rest}"
    target = path.with_suffix(".wav")
    if target == path:
        target = path.with_name(f"{path.stem}-converted.wav")
    return f"Convert it to WAV or FLAC, for example: ffmpeg -i {_quoted(path)} {_quoted(target)}"


def conversion_below(folder: str | Path, suffixes: Iterable[str]) -> str:
    """Command line that converts all files below a folder that have one of these suffixes."""
    names = " -o ".join(f"-iname '*{suffix}'" for suffix in sorted(suffixes))
    return (
        f"find -L {_quoted(folder)} \\( {names} \\) "
        """-exec sh -c 'ffmpeg -nostdin -i "$1" "${1%.*}.wav"' - {} \\;"""
    )


def _quoted(path: str | Path) -> str:
    return shlex.quote(str(path))
