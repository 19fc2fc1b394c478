"""Messages between the service and its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from espnet2_valle.generate.known import Known
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prompt import PreparedPrompt


@dataclass(frozen=True)
class Speak:
    """An utterance to be said; `Piece`s answer it, or `Refused`.

    Attributes:
        wishes: languages and style, by their names in `Request`.
    """

    ticket: int
    text: str
    voice: PreparedPrompt
    seed: int | None
    streamed: bool
    sampling: SamplingOptions | None = None
    wishes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepare:
    """A recording (the bytes of a file) to be made a prompt; `Made` answers it, or `Refused`.

    Attributes:
        text: what is said in all of it; None: it is cut, and transcribed.
        max_seconds: of the recording.
    """

    ticket: int
    content: bytes
    text: str | None
    max_seconds: float


@dataclass(frozen=True)
class Check:
    """A voice that must be of the model's codec; `Made` answers it, or `Refused`."""

    ticket: int
    where: str
    voice: PreparedPrompt


@dataclass(frozen=True)
class Cancel:
    """A request that no one waits for any more."""

    ticket: int


@dataclass(frozen=True)
class Ready:
    """A worker has opened its model.

    Attributes:
        rate: of its sound, in Hz.
        streams: its NAR model was trained with chunks.
        known: see there.
    """

    rate: int
    streams: bool
    known: Known


@dataclass(frozen=True)
class Failed:
    """A worker could not open its model, for which someone is to blame who can mend it."""

    where: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Made:
    """A prompt, and what was found in the recording, in words."""

    ticket: int
    voice: PreparedPrompt
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """Something about a request that whoever asked can mend."""

    ticket: int
    problem: str


@dataclass(frozen=True)
class Beat:
    """A sign of life: rows that are being decoded."""

    rows: int
