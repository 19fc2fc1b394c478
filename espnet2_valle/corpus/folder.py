"""Read a folder of recordings: with metadata.csv, .txt beside the audio, or a Kaldi directory."""

import logging
import math
import os
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.audio import Span, audio_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.common.sound_files import (
    NameIndex,
    SoundFolder,
    is_foreign,
    is_kind_folder,
    readable,
    sound_name,
)
from espnet2_valle.common.walk import Walk, existing, walk
from espnet2_valle.corpus.metadata import Row, find_metadata, other_list, read_labels, read_metadata
from espnet2_valle.corpus.recording import make_recording
from espnet2_valle.data.combine import UNKNOWN_EMOTION, UNKNOWN_LANGUAGE
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.setaside import set_aside
from espnet2_valle.data.utterances import Utterance

TEXT_SUFFIXES = (".txt", ".lab")
NORMALISED = ".normalized"  # before the suffix, in LibriTTS
FOLDERS_ABOVE = 3  # in which relative paths of wav.scp are looked for
LAYOUTS = (
    "a metadata.csv (header id|speaker|text), .txt files beside the sound files, or wav.scp, text and utt2spk"
)

Read = tuple[list[Utterance], dict[str, InputError]]


def read_folder(db: str | Path, max_bad: float = 0.0, need_text: bool = True) -> list[Utterance]:
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
    if (db / "wav.scp").is_file():
        recordings, bad = _read_kaldi(db)
    else:
        found = walk(db)
        sounds = SoundFolder(found)
        sounds.warn()
        metadata = find_metadata(db)
        if metadata:
            recordings, bad = _read_metadata(metadata, sounds, need_text)
        else:
            recordings, bad = _read_text_beside_audio(found, sounds, need_text)
            unread = other_list(db, sounds) if bad and not recordings else None
            if unread is not None:
                raise unread
    set_aside(bad, len(bad) + len(recordings), max_bad, str(db))
    if not recordings:
        raise InputError(db, "has no recording with a transcript", f"Give it {LAYOUTS}")
    wavs: dict[str, str] = {}
    for recording in recordings:
        if recording.utterance in wavs:
            raise InputError(
                db,
                f"both {wavs[recording.utterance]} and {recording.wav} would be '{recording.utterance}'",
                "Rename one of them",
            )
        wavs[recording.utterance] = recording.wav
    return sorted(recordings, key=lambda recording: recording.utterance)


def _read_kaldi(db: Path) -> Read:
    recordings: list[Utterance] = []
    bad: dict[str, InputError] = {}
    for name, value in (("text", "transcript"), ("utt2spk", "speaker")):
        if not (db / name).is_file():
            raise InputError(db / name, "no such file", f"Write it: a line `utterance {value}` for each")
    data = DataDir.load(db, bad)
    for utterance, wav in data.wavs.items():
        if wav.endswith("|"):
            raise InputError(
                db / "wav.scp",
                f"'{utterance}' is a pipe ({wav})",
                "Write sound files first, for example with ESPnet's format_wav_scp.sh",
            )
        file = _kaldi_path(db, wav)
        if not os.path.isfile(file):
            bad[utterance] = InputError(
                db / "wav.scp",
                f"'{utterance}' has no sound file {wav}",
                "Correct the path or remove the line",
            )
            continue
        try:
            span = _whole_span(readable(file), data.spans.get(utterance))
        except InputError as error:
            bad[utterance] = error
            continue
        recordings.append(
            make_recording(
                utterance,
                data.speakers[utterance],
                data.texts[utterance],
                file,
                data.languages.get(utterance, ""),
                data.emotions.get(utterance, ""),
                span,
            )
        )
    return recordings, bad


def _kaldi_path(db: Path, wav: str) -> Path:
    """Paths in wav.scp are relative to where the commands run, to the directory, or to one above it."""
    folders = [Path(), db, *db.absolute().parents[:FOLDERS_ABOVE]]
    paths = (existing(folder / wav) for folder in folders)
    return next((path for path in paths if os.path.isfile(path)), Path(wav))


def _whole_span(file: Path, span: Span | None) -> Span | None:
    """A span with the end of its recording where it has none."""
    return (span[0], audio_seconds(file)) if span and math.isinf(span[1]) else span


def _read_metadata(path: Path, sounds: SoundFolder, need_text: bool) -> Read:
    recordings: list[Utterance] = []
    bad: dict[str, InputError] = {}
    used: dict[Path, Row] = {}
    labels = read_labels(path.parent)
    repeated = 0
    for row in read_metadata(path, sounds):
        if isinstance(row, InputError):
            bad[row.where] = row
            continue
        try:
            file = sounds.find(row.name)
        except InputError as error:
            bad[row.where] = InputError(row.where, error.problem, error.remedy)
            continue
        if file in used:
            if replace(used[file], where=row.where, name=row.name) == row:
                repeated += 1
                continue
            bad[row.where] = InputError(
                row.where,
                f"'{row.name}' is the sound file of {used[file].where}, too, with another text or speaker",
                "Remove one of the rows",
            )
            continue
        used[file] = row
        if need_text and not row.text.strip():
            bad[row.where] = InputError(
                row.where, f"the transcript of '{row.name}' is empty", "Write it or remove the row"
            )
            continue
        name = file.stem if is_foreign(row.name) else sound_name(row.name)
        speaker = row.speaker or _folder_speaker(file, sounds.root)
        emotion = row.emotion or labels["emotion"].get(row.name, "")
        language = row.language or labels["language"].get(row.name, "")
        language, emotion = ("-".join(label.split()) for label in (language, emotion))
        recordings.append(make_recording(name, speaker, row.text, file, language, emotion))
    if any(recording.emotion for recording in recordings):
        recordings = [one if one.emotion else one._replace(emotion=UNKNOWN_EMOTION) for one in recordings]
    if any(recording.language for recording in recordings):
        recordings = [one if one.language else one._replace(language=UNKNOWN_LANGUAGE) for one in recordings]
    if repeated:
        logging.warning("%s: %d rows are there once more and left out", path, repeated)
    unused = sounds.without(used)
    if unused:
        logging.warning("%s: %d sound files have no row, the first %s", path, len(unused), unused[0])
    return recordings, bad


def _read_text_beside_audio(found: Walk, sounds: SoundFolder, need_text: bool) -> Read:
    """Texts are beside the sound files, or as they are below txt/ or the like."""
    db = found.folder
    files = [file for suffix in TEXT_SUFFIXES for file in found.files if file.suffix.lower() == suffix]
    texts = NameIndex(db, files)
    recordings: list[Utterance] = []
    bad: dict[str, InputError] = {}
    for file in sounds.files:
        name = file.relative_to(db).with_suffix("").as_posix()
        try:
            transcripts = texts.beside(name) or texts.beside(f"{name}{NORMALISED}")
            text = read_text(transcripts[0]) if transcripts else ""
        except InputError as error:
            bad[name] = error
            continue
        if text.strip() or not need_text:
            recordings.append(make_recording(name, _folder_speaker(file, db), text, file))
        elif transcripts:
            bad[name] = InputError(
                file, "the transcript is empty", f"Write {transcripts[0]} or remove the sound file"
            )
        else:
            text_file = file.with_suffix(".txt")
            bad[name] = InputError(
                file,
                f"has no transcript {text_file.name} beside it",
                f"Write {text_file} or remove the sound file",
            )
    for file in sounds.others:
        name = file.relative_to(db).with_suffix("").as_posix()
        if texts.beside(name):
            try:
                readable(file)
            except InputError as error:
                bad[name] = error
    return recordings, bad


def _folder_speaker(file: Path, db: Path) -> str:
    """The folder of a sound file names its speaker; `wavs` and the like do not."""
    for folder in file.parents:
        if folder == db:
            break
        if not is_kind_folder(folder.name):
            return folder.name
    return db.absolute().name
