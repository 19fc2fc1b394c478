"""The sound files below a folder, and which of them a list means."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.sound_formats import (
    PREFERRED,
    conversion,
    conversion_below,
    is_other_sound,
    is_readable,
    is_sound,
    preference,
)
from espnet2_valle.common.walk import Walk, existing, nfc, walk

# Folders that say what lies in them, not who speaks: wavs/, wav48/, clips/, txt/ ...
_KIND = re.compile(
    r"(wavs?|wav_?files|audios?|audio_?files|clips?|sounds?|speech|recordings|flacs?|mp3s?|oggs?|opus)[_-]?"
    r"(\d+k?(hz)?)?([_-](silence[_-])?trimmed)?"
    r"|txts?|texts?|transcripts?|transcriptions?|labs?|labels?",
    re.IGNORECASE,
)
FIRST_FOLDER = "wav"  # is looked into before its parent


def is_kind_folder(name: str) -> bool:
    """Tell whether a folder is named by what lies in it, such as wavs/, audio/ or txt/."""
    return _KIND.fullmatch(name) is not None


class NameIndex:
    """Files below a folder by the names that lists call them.

    A list may give the path from the folder or its end, with or without the suffix, with or without wavs/ and
    the like, in another Unicode form or case, or as it was on another machine.

    Args:
        root: the folder.
        files: those below it.
    """

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self.root = root
        self.formats: dict[str, list[Path]] = {}
        for file in files:
            self.formats.setdefault(self.key(file), []).append(file)
        self._loose: dict[str, list[str]] = {}
        for key in self.formats:
            self._loose.setdefault(_loose(key), []).append(key)
        self._tails: dict[str, list[str]] = {}

    def key(self, file: Path) -> str:
        """The path from the folder without suffix, in Unicode's composed form."""
        return nfc(file.relative_to(self.root).with_suffix("").as_posix())

    def find(self, name: str) -> list[Path]:
        """The file of a name, in all its formats; [] if there is none.

        Args:
            name: without suffix.

        Raises:
            InputError: it may be several files.
        """
        name = nfc(name)
        for exact in (f"{FIRST_FOLDER}/{name}", name):
            if exact in self.formats:
                return self.formats[exact]
        foreign = is_foreign(name)
        parts = Path(name).parts
        for start in range(len(parts)) if foreign else (0,):
            found = self._one(self._loose.get(_loose("/".join(parts[start:])), ()), name)
            if found:
                return found
        return [] if foreign else self._one(self._by_tail().get(_loose(name), ()), name)

    def beside(self, name: str) -> list[Path]:
        """The file of the same folder and name, or that of which only folders like wavs/ and txt/ differ.

        Args:
            name: path from the folder, without suffix.

        Raises:
            InputError: it may be several files.
        """
        name = nfc(name)
        return self.formats.get(name) or self._one(self._loose.get(_loose(name), ()), name)

    def _one(self, keys: Iterable[str], name: str) -> list[Path]:
        keys = list(keys)
        same_case = [key for key in keys if f"/{key}".endswith(f"/{name}")]
        chosen = same_case or keys
        if len(chosen) > 1:
            first, second = (self.formats[key][0].relative_to(self.root) for key in sorted(chosen)[:2])
            raise InputError(
                self.root, f"'{name}' may be {first} or {second}", f"Write the path from {self.root}"
            )
        return self.formats[chosen[0]] if chosen else []

    def _by_tail(self) -> dict[str, list[str]]:
        if not self._tails:
            for key in self.formats:
                parts = _loose(key).split("/")
                for start in range(1, len(parts)):
                    self._tails.setdefault("/".join(parts[start:]), []).append(key)
        return self._tails


def _loose(key: str) -> str:
    """A key without folders such as wavs/, in lower case."""
    *folders, name = key.split("/")
    return "/".join([*(folder for folder in folders if not is_kind_folder(folder)), name]).casefold()


class SoundFolder:
    """The sound files below a folder.

    Args:
        found: what lies there, or the folder.
        preferred: suffixes of the formats of which one is taken first where a recording is there in several.

    Attributes:
        root: the folder.
        files: those that libsndfile reads, one of each recording, sorted.
        others: recordings that are there only in formats which libsndfile does not read.
    """

    def __init__(self, found: Walk | str | Path, preferred: Sequence[str] = PREFERRED) -> None:
        self._walk = found if isinstance(found, Walk) else walk(found)
        self.root = self._walk.folder
        self._index = NameIndex(self.root, (file for file in self._walk.files if is_sound(file)))
        self.files: list[Path] = []
        self.others: list[Path] = []
        self._duplicates: list[tuple[Path, Path]] = []
        for formats in self._index.formats.values():
            formats.sort(key=lambda file: preference(file, preferred))
            taken, *rest = formats
            (self.files if is_readable(taken) else self.others).append(taken)
            self._duplicates += [(taken, file) for file in rest if is_readable(file)]
        self.files.sort()
        self.others.sort()

    def find(self, name: str) -> Path:
        """The sound file that a list calls `name`.

        Raises:
            InputError: there is none, it may be several, or libsndfile does not read it.
        """
        path = self.root / name.strip()
        path = existing(path) if is_foreign(name) else path
        if os.path.isfile(path) and is_sound(path):
            return readable(path)
        formats = self._index.find(sound_name(name))
        if not formats:
            raise InputError(
                self.root, f"'{name}' has no sound file below {self.root}", "Add it or remove the row"
            )
        return readable(formats[0])

    def has(self, name: str) -> bool:
        """Tell whether a list that says `name` means a sound file here, or one of several."""
        try:
            return os.path.isfile(self.root / name.strip()) or bool(self._index.find(sound_name(name)))
        except InputError:
            return True

    def by_stem(self) -> dict[str, Path]:
        """File name without suffix -> sound file, for a corpus whose names are unique."""
        return {nfc(path.stem): path for path in self.files}

    def without(self, used: Iterable[Path]) -> list[Path]:
        """The files of `files` but those of the recordings that are used."""
        keys = {self._index.key(path) for path in used if path.is_relative_to(self.root)}
        return [path for path in self.files if self._index.key(path) not in keys]

    def warn(self) -> None:
        """Tell what was left out and which of several formats is taken, with counts."""
        self._walk.warn(is_sound)
        if self.others:
            suffixes = Counter(path.suffix.lower() for path in self.others)
            logging.warning(
                "%s: left out %d files in formats that libsndfile does not read (%s); the first: %s. "
                "Convert them: %s",
                self.root,
                len(self.others),
                ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items())),
                self.others[0],
                conversion_below(self.root, suffixes),
            )
        if self._duplicates:
            taken, rest = self._duplicates[0]
            logging.warning(
                "%s: %d sound files left out: the recording is there in another format too; "
                "the first: %s is taken, %s not",
                *(self.root, len(self._duplicates), taken, rest.name),
            )


def readable(path: Path) -> Path:
    """The path itself.

    Raises:
        InputError: its suffix is that of a format which libsndfile does not read.
    """
    if is_other_sound(path):
        raise InputError(path, f"libsndfile does not read {path.suffix} files", conversion(path))
    return path


def is_foreign(name: str) -> bool:
    """Tell whether a path leads out of the folder of its list: `/data/a.wav`, `C:\\a.wav`, `../a.wav`."""
    return re.match(r"/|[A-Za-z]:[/\\]|\.\.[/\\]", name.strip()) is not None


def with_any_suffix(path: Path) -> Path:
    """The sound file of a path, or that of its name in another format, where one is there."""
    meant = existing(path)
    if os.path.isfile(meant) or not os.path.isdir(meant.parent):
        return meant
    name = nfc(path.stem)
    others = (Path(entry) for entry in sorted(os.listdir(meant.parent)))
    same = [other for other in others if nfc(other.stem) == name and is_readable(other)]
    return meant.parent / min(same, key=preference) if same else meant


def sound_name(name: str) -> str:
    """The name of a sound file in a list, as the path to it without suffix: `.\\wavs\\4.WAV` is `wavs/4`."""
    name = name.strip().replace("\\", "/")
    name = re.sub(r"/(\./)*/*", "/", name)
    name = re.sub(r"^(\./+)+", "", name)
    return name[: -len(Path(name).suffix)] if is_sound(Path(name)) else name
