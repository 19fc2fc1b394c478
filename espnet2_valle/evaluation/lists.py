"""Lists of trials and folders of outputs, in the formats of others."""

from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.evaluation.utterance import Trial

SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")
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
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
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
        key = Path(key).name.removesuffix(".wav")  # some lists name the output file
        if key in trials:
            raise InputError(where, f"'{key}' is there twice", "Rename one of the two")
        sounds = [str(path.parent / sound) for sound in (prompt, *reference) if sound]
        for sound in sounds:
            if not Path(sound).is_file():
                raise InputError(
                    where, f"no such sound file: {sound}", "Lists give paths from their own folder"
                )
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
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() not in SOUND_SUFFIXES or not file.is_file():
            continue
        if file.stem in found:
            raise InputError(
                path, f"both {found[file.stem]} and {file} would be '{file.stem}'", "Leave one of them out"
            )
        found[file.stem] = str(file)
    if not found:
        raise InputError(path, f"has no {', '.join(SOUND_SUFFIXES)} file", "Give the folder of the outputs")
    return found


def read_samples(given: str) -> list[dict[str, str]]:
    """Outputs of a system that was run one or more times: `FILE[,FILE...]`, each as `read_outputs` takes it.

    Raises:
        InputError: see `read_outputs`.
    """
    files: Sequence[str] = [given] if Path(given).exists() else given.split(",")
    return [read_outputs(file) for file in files]
