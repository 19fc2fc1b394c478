"""Utterances of a corpus as reading it finds them."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from espnet2_valle.common.audio import Span
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.walk import nfc
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.ids import LONGEST_ID, LONGEST_SPEAKER, shortened
from espnet2_valle.data.utterances import Utterance, recording_names, write_utterances


@dataclass
class Found:
    """Recordings of a corpus, or of a part of it.

    Attributes:
        recordings: the usable utterances.
        bad: name -> why that entry cannot be used.
    """

    recordings: list[Utterance] = field(default_factory=list)
    bad: dict[str, InputError] = field(default_factory=dict)


def make_recording(
    name: str,
    speaker: str,
    text: str,
    wav: Path,
    language: str = "",
    emotion: str = "",
    span: Span | None = None,
) -> Utterance:
    """A recording whose id is `name` with its speaker before it, free of spaces and slashes.

    Ids become names of files, with something before and behind them: too long ones are cut.
    """
    speaker, name = shortened(_clean_name(speaker), LONGEST_SPEAKER), _clean_name(name)
    utterance = shortened(name if name.startswith(speaker) else f"{speaker}-{name}", LONGEST_ID)
    return Utterance(utterance, speaker, " ".join(text.split()), str(wav.absolute()), language, emotion, span)


def _clean_name(name: str) -> str:
    """A name without spaces, slashes and leading dots, in composed form: it becomes a key and a file name."""
    return re.sub(r"[\s/]+", "-", nfc(name).strip()).lstrip(".")


def join(
    texts: Mapping[str, str],
    sounds: Mapping[str, Path],
    speakers: Mapping[str, str],
    language: str,
    where: str | Path,
) -> Found:
    """Put transcripts and sound files of the same names together; what lacks one of them is bad.

    Args:
        texts: name -> transcript.
        sounds: name -> sound file.
        speakers: name -> speaker, for each name that has both.
        language: of all.
        where: where the transcripts come from, for messages.
    """
    found = Found()
    for name in sorted(texts.keys() | sounds.keys()):
        if name not in sounds:
            found.bad[name] = InputError(
                where, f"'{name}' has a transcript and no sound file", "Unpack the corpus again"
            )
        elif name not in texts:
            found.bad[name] = InputError(sounds[name], "has no transcript", "Unpack the corpus again")
        elif not texts[name].strip():
            found.bad[name] = InputError(where, f"the transcript of '{name}' is empty", "Write it")
        else:
            found.recordings.append(make_recording(name, speakers[name], texts[name], sounds[name], language))
    return found


def to_data_dir(recordings: Iterable[Utterance], path: str | Path) -> DataDir:
    """The Kaldi data directory of recordings, to be written to `path`."""
    kept = list(recordings)
    return DataDir(
        Path(path),
        {r.utterance: r.wav for r in kept},
        {r.utterance: r.text for r in kept},
        {r.utterance: r.speaker for r in kept},
        languages={r.utterance: r.language for r in kept if r.language},
        emotions={r.utterance: r.emotion for r in kept if r.emotion},
        spans={r.utterance: r.span for r in kept if r.span},
    )


def write_recordings(
    recordings: Collection[Utterance], path: str | Path, in_order: Iterable[Utterance]
) -> int:
    """Write the data directory of recordings; return the number of speakers.

    Args:
        recordings: all of them.
        path: the directory.
        in_order: the same by their ids.

    Raises:
        InputError: no recording, an id that cannot name a file, or a language, emotion or part of some only.
    """
    cut = {r.wav for r in recordings if r.span}
    return write_utterances(path, in_order, recording_names(cut) if cut else None)
