"""Lists of transcripts as people's tools write them: a row has a sound file, maybe a speaker, and a text."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.common.sound_files import SoundFolder

NAMES = ("metadata.csv", "metadata.tsv", "metadata.txt", "metadata.jsonl")
JSON_LINES = ".jsonl"  # an object a line, as Hugging Face and NeMo have them
# What lists of other tools are called, and what they would have to be.
RENAMED = {".csv": ".csv", ".tsv": ".tsv", ".txt": ".txt", ".jsonl": ".jsonl", ".json": ".jsonl"}
SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
NO_LIST = re.compile(r"(readme|licen[cs]e|copying|changes|changelog|notice|about|info)", re.IGNORECASE)
SEPARATORS = ("|", "\t", ",", ";")
QUOTING = (",", ";")  # separators that texts have too, so that fields are quoted as spreadsheets do
# What the columns are called, in lower case.
# fmt: off
COLUMNS = {
    "id": (
        "id", "file", "file_name", "filename", "file_path", "filepath", "path", "audio",
        "audio_file", "audio_path", "audio_filepath", "wav", "wav_file", "wav_filename", "wav_path",
        "clip", "utterance", "utterance_id", "utt", "utt_id", "name",
    ),
    "speaker": (
        "speaker", "speaker_id", "speaker_name", "spk", "spk_id", "client_id", "voice",
    ),
    "text": (
        "text", "transcript", "transcription", "sentence", "normalized_text", "normalised_text",
        "normalized_transcription", "txt",
    ),
    "emotion": ("emotion", "emo"),
    "language": ("language", "lang", "locale"),
}
# fmt: on
LABELS = "extra.csv"  # further labels by id, beside the list
OF_LABELS = ("emotion", "language")  # columns that it may have, too
SAMPLE = 50  # rows that are looked at to tell what the columns of a list without header are
ALIKE = 0.5  # the third column repeats the second, numbers spelled out, from this similarity on


@dataclass(frozen=True)
class Row:
    """A row of the list.

    Attributes:
        where: file and line, for messages.
        name: of the sound file, as it is written.
        speaker: "" where the list does not tell.
        text: what is said.
        emotion, language: how it is said; "" where the list does not tell.
    """

    where: str
    name: str
    speaker: str
    text: str
    emotion: str = ""
    language: str = ""


def find_metadata(db: Path) -> Path | None:
    """The list of transcripts of a folder, if it has one; case does not count in its name."""
    there = {path.name.lower(): path for path in sorted(db.iterdir(), reverse=True) if path.is_file()}
    return next((there[name] for name in NAMES if name in there), None)


def other_list(db: Path, sounds: SoundFolder) -> InputError | None:
    """The error that names the list of transcripts that a folder seems to have under another name.

    Args:
        db: the folder.
        sounds: in it; what is called like one of them is no list.
    """
    stems = {path.stem for path in (*sounds.files, *sounds.others)}
    lists = [
        path
        for path in sorted(db.iterdir())
        if path.is_file()
        and path.suffix.lower() in (*RENAMED, *SPREADSHEETS)
        and path.stem not in stems
        and not NO_LIST.match(path.name)
        and not path.name.startswith(".")
    ]
    if not lists:
        return None
    found = max(lists, key=lambda path: path.stat().st_size)
    target = RENAMED.get(found.suffix.lower())
    remedy = f"Rename it to metadata{target}" if target else "Save its table as metadata.csv, in UTF-8"
    return InputError(
        db,
        "has no metadata.csv, and its sound files no .txt beside them; "
        f"{found.name} may have their transcripts",
        f"{remedy} if it names the sound files and their texts",
    )


def read_metadata(path: Path, sounds: SoundFolder) -> Iterator[Row | InputError]:
    """Read a list with or without a header, or one of JSON lines.

    Without a header, rows are `id|text` or, as in LJSpeech, `id|text|normalised text`.

    Args:
        path: the list.
        sounds: tell ids from the names of columns.

    Yields:
        rows, and errors in place of those that are none.

    Raises:
        InputError: the columns cannot be told.
    """
    text = read_text(path)
    if path.suffix.lower() == JSON_LINES:
        yield from _read_json_lines(path, text)
        return
    first = next((line for line in text.split("\n") if line.strip()), "")
    separator, columns = _header(first)
    skip = bool(columns)
    if not columns:
        separator, columns = _guess(path, text, sounds)
    try:
        rows = _read_rows(text, separator)
        for line, row in rows[1:] if skip else rows:
            where = f"{path}:{line}"
            if not columns.index("text") < len(row) <= len(columns) or not row[columns.index("id")].strip():
                yield InputError(
                    where, f"is not a row of {len(columns)} columns between '{separator}'", "Correct the row"
                )
                continue
            fields = dict(zip(columns, row))
            spoken = fields.get("normalised", "").strip() or fields["text"]
            speaker, *labels = (fields.get(name, "").strip() for name in ("speaker", *OF_LABELS))
            yield Row(where, fields["id"].strip(), speaker, spoken, *labels)
    except csv.Error as error:
        raise InputError(
            path, f"is not a table of columns between '{separator}' ({error})", "Close its quotes"
        ) from error


def read_labels(folder: Path) -> dict[str, dict[str, str]]:
    """Labels by id, of a table beside the list (extra.csv), for each of OF_LABELS that it has a column of."""
    path = folder / LABELS
    labels: dict[str, dict[str, str]] = {name: {} for name in OF_LABELS}
    if not path.is_file():
        return labels
    text = read_text(path)
    first = next((line for line in text.split("\n") if line.strip()), "")
    for separator in SEPARATORS:
        names = _names(first, separator)
        if "id" not in names:
            continue
        columns, rows = _columns(names), [row for _, row in _read_rows(text, separator)[1:]]
        key = columns.index("id")
        for name in OF_LABELS:
            if name in columns:
                column = columns.index(name)
                whole = [row for row in rows if len(row) > max(key, column)]
                labels[name] = {row[key].strip(): row[column].strip() for row in whole}
        break
    return labels


def _read_rows(text: str, separator: str) -> list[tuple[int, list[str]]]:
    """Lines of a table that are not empty, with their numbers."""
    stream = io.StringIO(text)
    if separator in QUOTING:
        rows = csv.reader(stream, delimiter=separator)
    else:
        rows = csv.reader(stream, delimiter=separator, quoting=csv.QUOTE_NONE)
    return [(rows.line_num, row) for row in rows if any(field.strip() for field in row)]


def _read_json_lines(path: Path, text: str) -> Iterator[Row | InputError]:
    """Rows of a list with one JSON object a line, whose keys are called as columns may be."""
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            found = {str(key).lower(): value for key, value in json.loads(line).items()}
        except (ValueError, AttributeError):
            yield InputError(where, "is not a JSON object on one line", "Correct or remove it")
            continue
        fields = {column: _first(found, names) for column, names in COLUMNS.items()}
        if not fields["id"]:
            yield InputError(where, "does not name a sound file", "Give it the key audio_filepath")
            continue
        yield Row(where, **{("name" if column == "id" else column): fields[column] for column in COLUMNS})


def _first(found: Mapping[str, Any], names: Sequence[str]) -> str:
    """The value of the first of several keys that is there and says something."""
    return next((str(found[name]).strip() for name in names if found.get(name) not in (None, "")), "")


def _header(line: str) -> tuple[str, list[str]]:
    """Separator and columns (`id`, `speaker`, `text` or "") if the line names them; else no columns."""
    for separator in SEPARATORS:
        columns = _columns(_names(line, separator))
        if {"id", "text"} <= set(columns):
            return separator, columns
    return "", []


def _names(line: str, separator: str) -> list[str]:
    """Names of columns in lower case, as a header has them."""
    return [name.strip().strip('"').lower() for name in line.split(separator)]


def _columns(names: Sequence[str]) -> list[str]:
    """Column of COLUMNS that each name stands for; "" for none."""
    columns = [""] * len(names)
    for column, known in COLUMNS.items():
        here = next((name for name in known if name in names), None)
        if here is not None:
            columns[names.index(here)] = column
    return columns


def _guess(path: Path, text: str, sounds: SoundFolder) -> tuple[str, list[str]]:
    """Separator and columns of a list without header."""
    lines = [line for line in text.splitlines() if line.strip()][:SAMPLE]
    widest = 0
    for separator in SEPARATORS:
        rows = [row for _, row in _read_rows("\n".join(lines), separator)]
        width = len(rows[0]) if rows else 0
        widest = max(widest, width)
        if width < 2 or not _begins_with_data(rows, sounds):
            continue
        if width == 2:
            return separator, ["id", "text"]
        whole = [row for row in rows if len(row) == 3]
        if width == 3 and sum(_repeats(*row[1:]) for row in whole) > len(whole) / 2:
            return separator, ["id", "text", "normalised"]
        break
    raise InputError(
        path,
        f"first line is '{lines[0] if lines else ''}'",
        "Begin it with id|speaker|text"
        + (", and a name for each of the other columns, all in their order" if widest > 3 else "")
        + (", or with id|text where nobody is named" if widest < 3 else ""),
    )


def _begins_with_data(rows: Sequence[Sequence[str]], sounds: SoundFolder) -> bool:
    """Tell rows whose first column names sound files from a list with a header."""
    named = [sounds.has(row[0]) for row in rows]
    return named[0] or (any(named) and any(" " in field.strip() for field in rows[0]))


def _repeats(text: str, normalised: str) -> bool:
    """Tell whether the third column has the words of the second, which a speaker's name has not."""
    if not normalised.strip():
        return len(text.split()) > 1
    return SequenceMatcher(None, text.lower(), normalised.lower()).ratio() >= ALIKE
