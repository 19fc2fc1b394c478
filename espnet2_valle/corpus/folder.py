"""Read a folder of recordings and transcripts: metadata.csv, .txt beside the audio, or a Kaldi directory."""

import csv
import io
import logging
from collections import Counter
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.corpus.recording import Recording, make_recording
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.setaside import set_aside

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
METADATA = "metadata.csv"
LAYOUTS = (
    "a metadata.csv (header id|speaker|text), .txt files beside the sound files, or wav.scp, text and utt2spk"
)


def read_folder(db: str | Path, max_bad: float = 0.0, need_text: bool = True) -> list[Recording]:
    """Read one set of recordings in whichever of the three layouts it has.

    Args:
        db: the folder.
        max_bad: the share of entries without sound file or transcript that is left out with a warning.
        need_text: otherwise a recording without transcript has the text "" and is not bad.

    Raises:
        InputError: no such folder or layout, ids given twice, or too many bad entries.
    """
    db = Path(db)
    if not db.is_dir():
        raise InputError(db, "no such folder", "Correct --db")
    bad: dict[str, InputError] = {}
    if (db / "wav.scp").is_file():
        recordings, bad = _read_kaldi(db)
    elif (db / METADATA).is_file():
        recordings, bad = _read_metadata(db, need_text)
    else:
        recordings, bad = _read_text_beside_audio(db, need_text)
    set_aside(bad, len(bad) + len(recordings), max_bad, str(db))
    if not recordings:
        raise InputError(db, "has no recording with a transcript", f"Give it {LAYOUTS}")
    counts = Counter(recording.utterance for recording in recordings)
    repeated = [utterance for utterance, n in counts.items() if n > 1]
    if repeated:
        raise InputError(
            db, f"utterance id '{repeated[0]}' is there {counts[repeated[0]]} times", "Rename all but one"
        )
    return sorted(recordings, key=lambda recording: recording.utterance)


def _read_kaldi(db: Path) -> tuple[list[Recording], dict[str, InputError]]:
    data = DataDir.load(db)
    recordings: list[Recording] = []
    bad: dict[str, InputError] = {}
    for utterance, wav in data.wavs.items():
        if wav.endswith("|"):
            raise InputError(
                db / "wav.scp",
                f"'{utterance}' is a pipe ({wav})",
                "Write sound files first, for example with ESPnet's format_wav_scp.sh",
            )
        file = _kaldi_path(db, wav)
        if not file.is_file():
            bad[utterance] = InputError(
                db / "wav.scp",
                f"'{utterance}' has no sound file {wav}",
                "Correct the path or remove the line",
            )
            continue
        recordings.append(
            make_recording(
                utterance,
                data.speakers[utterance],
                data.texts[utterance],
                file,
                data.languages.get(utterance, ""),
                data.emotions.get(utterance, ""),
                data.spans.get(utterance),
            )
        )
    return recordings, bad


def _kaldi_path(db: Path, wav: str) -> Path:
    """Paths in wav.scp are relative to where the commands run, else to the directory itself."""
    return Path(wav) if Path(wav).exists() else db / wav


def _read_metadata(db: Path, need_text: bool) -> tuple[list[Recording], dict[str, InputError]]:
    path = db / METADATA
    recordings: list[Recording] = []
    bad: dict[str, InputError] = {}
    audio = {file.relative_to(db).with_suffix("").as_posix(): file for file in _audio_files(db)}
    used: set[Path] = set()
    rows = csv.DictReader(io.StringIO(read_text(path)), delimiter="|", quoting=csv.QUOTE_NONE)
    if not {"id", "text"} <= set(rows.fieldnames or ()):
        raise InputError(
            path, f"first line is '{'|'.join(rows.fieldnames or ())}'", "Begin it with id|speaker|text"
        )
    for row in rows:
        where, name = f"{path}:{rows.line_num}", (row["id"] or "").strip()
        stem = name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in AUDIO_SUFFIXES else name
        file = audio.get(f"wav/{stem}") or audio.get(stem)
        if not stem or None in row or row["text"] is None:
            raise InputError(
                where, f"is not a row of {len(rows.fieldnames or ())} columns", "Correct the row"
            )
        if file is None:
            bad[where] = InputError(
                where, f"'{name}' has no sound file in wav/ or beside", "Add it or remove the row"
            )
        elif need_text and not row["text"].strip():
            bad[where] = InputError(
                where, f"the transcript of '{name}' is empty", "Write it or remove the row"
            )
        else:
            used.add(file)
            speaker = (row.get("speaker") or "").strip() or _folder_speaker(file, db)
            recordings.append(make_recording(stem, speaker, row["text"], file))
    unused = sorted(set(audio.values()) - used)
    if unused and not bad:
        logging.warning("%s: %d sound files have no row, the first %s", path, len(unused), unused[0])
    return recordings, bad


def _read_text_beside_audio(db: Path, need_text: bool) -> tuple[list[Recording], dict[str, InputError]]:
    recordings: list[Recording] = []
    bad: dict[str, InputError] = {}
    for file in _audio_files(db):
        text_file = file.with_suffix(".txt")
        name = file.relative_to(db).with_suffix("").as_posix()
        try:
            text = read_text(text_file) if text_file.is_file() else ""
        except InputError as error:
            bad[name] = error
            continue
        if text.strip() or not need_text:
            recordings.append(make_recording(name, _folder_speaker(file, db), text, file))
        else:
            problem = (
                "the transcript is empty"
                if text_file.is_file()
                else f"has no transcript {text_file.name} beside it"
            )
            bad[name] = InputError(file, problem, f"Write {text_file} or remove the sound file")
    return recordings, bad


def _folder_speaker(file: Path, db: Path) -> str:
    """The folder of a sound file names its speaker; `wav` does not."""
    return db.absolute().name if file.parent in (db, db / "wav") else file.parent.name


def _audio_files(db: Path) -> list[Path]:
    return sorted(file for file in db.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())
