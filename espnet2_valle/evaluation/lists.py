"""Lists of trials and folders of outputs, in the formats of others."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.common.sound_files import readable, sound_name, with_any_suffix
from espnet2_valle.common.sound_formats import conversion_below, is_readable, is_sound
from espnet2_valle.common.walk import nfc, walk
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.evaluation.utterance import Trial

COLUMNS = (4, 5)


def read_list(path: str | Path) -> list[Trial]:
    """Read a list as Seed-TTS-eval has them: `id|prompt text|prompt sound|text`, maybe `|reference sound`.

    Sound files are relative to the list's folder. It names no speakers: each prompt file counts as one.

    Raises:
        InputError: no such file, no line, a line of other columns or without words, an id given twice, or no
                such prompt.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such list", "Correct --list")
    trials: dict[str, Trial] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("|")]
        where = f"{path}:{number}"
        if len(columns) not in COLUMNS:
            raise InputError(
                where, f"{len(columns)} columns in place of 4 or 5", "Write id|prompt text|prompt sound|text"
            )
        key, _, prompt, text, *reference = columns
        if not any(map(str.isalnum, text)):
            raise InputError(where, f"'{text}' has no words", "Write what is to be said")
        key = sound_name(key).split("/")[-1]  # some lists name the output file
        if key in trials:
            raise InputError(where, f"'{key}' is there twice", "Rename one of the two")
        sounds = [_find_sound(where, path.parent, sound) for sound in (prompt, *reference) if sound]
        trials[key] = Trial(
            key, text, sounds[0], None, speaker=prompt, reference=sounds[1] if len(sounds) > 1 else None
        )
    if not trials:
        raise InputError(path, "has no line", "Give another list")
    return list(trials.values())


def read_outputs(path: str | Path) -> dict[str, str]:
    """Outputs of a system: a wav.scp, or a folder with a sound file for each, named by the pair's id.

    Raises:
        InputError: neither is there, the folder has no sound file, or two of one name.
    """
    path = Path(path)
    if not path.is_dir():
        return read_scp(path)
    found: dict[str, str] = {}
    below = walk(path)
    below.warn(is_sound)
    for file in filter(is_readable, below.files):
        if nfc(file.stem) in found:
            raise InputError(
                path,
                f"both {found[nfc(file.stem)]} and {file} would be '{file.stem}'",
                "Leave one of them out",
            )
        # Ids are in either Unicode form, whatever the file system makes of names.
        found[nfc(file.stem)] = found[unicodedata.normalize("NFD", file.stem)] = str(file)
    if not found:
        raise _no_outputs(path, [file for file in below.files if is_sound(file)])
    return found


def _no_outputs(path: Path, others: Sequence[Path]) -> InputError:
    if others:
        suffixes = {file.suffix.lower() for file in others}
        return InputError(
            path,
            f"has {len(others)} sound files, of formats that libsndfile does not read, the first {others[0]}",
            f"Convert them: {conversion_below(path, suffixes)}",
        )
    return InputError(path, "has no .wav, .flac or other sound file", "Give the folder of the outputs")


def _find_sound(where: str, folder: Path, sound: str) -> str:
    """Path of a sound file of a list, which says where it is from its own folder.

    Raises:
        InputError: it is not there, or libsndfile does not read it.
    """
    path = with_any_suffix(folder / sound)
    if not os.path.isfile(path):
        raise InputError(
            where, f"no such sound file: {folder / sound}", "Lists give paths from their own folder"
        )
    return str(readable(path))


def read_samples(given: str) -> list[dict[str, str]]:
    """Outputs of a system that was run one or more times: `FILE[,FILE...]`, each as `read_outputs` takes it.

    Raises:
        InputError: see `read_outputs`.
    """
    files: Sequence[str] = [given] if Path(given).exists() else given.split(",")
    return [read_outputs(file) for file in files]
