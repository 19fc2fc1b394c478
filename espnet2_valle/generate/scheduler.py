"""Continuous batching: requests enter a batch that is being decoded, and leave it when they are done."""

import logging
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from espnet2_valle.generate.ar_decoding import ARDecoder, Decoded
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.request import Prepared
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.streaming import Streamer, StreamingState
from espnet2_valle.generate.text2speech import Text2Speech, better, tell_unknown


@dataclass(frozen=True)
class Piece:
    """A part of what was asked for.

    Attributes:
        ticket: of the request.
        wav: (S,) float32 at the model's rate, perhaps empty.
        outcome: with the last piece of a request; None before it, and where it failed.
        problem: words that the model never learnt, with the last piece, or what failed.
        failed: the request is at its end, and what it met is no outcome of synthesis.
    """

    ticket: int
    wav: np.ndarray
    outcome: Outcome | None = None
    problem: str | None = None
    failed: bool = False

    @property
    def last(self) -> bool:
        """Tell whether no more follows."""
        return self.failed or self.outcome is not None


@dataclass(eq=False)
class _Job:
    """A request that waits or is being decoded.

    Attributes:
        ticket, prepared: the request.
        stream: of a request that is heard chunk by chunk.
        numbers: of its rows in the decoder.
        attempt: counts from 0.
        best: of the attempts before.
    """

    ticket: int
    prepared: Prepared
    stream: StreamingState | None
    numbers: list[int] = field(default_factory=list)
    attempt: int = 0
    best: Speech | None = None


class Scheduler:
    """Decoder of requests that come at any time; each gets what it would get alone (`ARDecoder`).

    The AR model takes one step for all requests at once. One that is asked for as a whole gets what
    `Text2Speech` makes of it, with its candidates and retries; one that streams gets a `Streamer`'s chunks.

    Args:
        text2speech: the models and their options.
        max_rows: rows of the batch, and so the memory of its cache; what does not fit waits its turn, unless
            nothing else is decoded.
        streamer: cuts streams into chunks; by default one of `text2speech`.
    """

    def __init__(self, text2speech: Text2Speech, max_rows: int, streamer: Streamer | None = None):
        self.text2speech = text2speech
        self.max_rows = max(max_rows, text2speech.options.best_of)
        self._streamer = streamer
        self._decoder = ARDecoder(text2speech.ar, [], text2speech.options)
        self._waiting: deque[_Job] = deque()
        self._running: dict[int, _Job] = {}

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to do."""
        return not self._waiting and not self._running

    @property
    def rows(self) -> int:
        """Rows that are being decoded; what is guided takes two each."""
        return sum(len(job.numbers) * job.prepared.lanes for job in self._running.values())

    def submit(self, ticket: int, prepared: Prepared, streamed: bool) -> None:
        """Ask for speech.

        Args:
            ticket: names the request in its pieces.
            prepared: see `Text2Speech.prepare`.
            streamed: chunk by chunk, not as a whole.
        """
        stream = self._streams.open(prepared) if streamed else None
        self._waiting.append(_Job(ticket, prepared, stream))

    def cancel(self, ticket: int) -> None:
        """Forget a request, if it is still there."""
        self._waiting = deque(job for job in self._waiting if job.ticket != ticket)
        job = self._running.pop(ticket, None)
        if job is not None:
            self._decoder.drop(job.numbers)

    def step(self) -> list[Piece]:
        """Admit what waits, draw a group of codes for each row, and make sound of what has enough of them."""
        pieces = self._admit()
        new = {} if self._decoder.finished else self._decoder.step()
        for job in list(self._running.values()):
            try:
                made = self._stream(job, new) if job.stream else self._whole(job)
            except Exception as error:  # of this request: the others go on
                made = _failure(job.ticket, error)
            if made is None:
                continue
            if made.last:
                self.cancel(job.ticket)
            pieces.append(made)
        return pieces

    @property
    def _streams(self) -> Streamer:
        """The streamer, made when it is first needed: it warns of what it does not do."""
        if self._streamer is None:
            self._streamer = Streamer.of(self.text2speech)
        return self._streamer

    def _admit(self) -> list[Piece]:
        """Let requests in as long as there are rows for them, one at a time where others would wait for it.

        A CPU reads one text and prompt at a time, see `at_once`; meanwhile no step is taken.

        Returns:
            the last pieces of those that cannot be begun.
        """
        failures: list[Piece] = []
        alone = self.text2speech.device.type == "cpu" and bool(self._running)
        rows = self.rows
        while self._waiting:
            job = self._waiting[0]
            count = job.prepared.lanes * (1 if job.stream else self.text2speech.options.best_of)
            if rows and rows + count > self.max_rows:
                break
            self._waiting.popleft()
            try:
                self._begin(job)
            except Exception as error:  # of this request: the others go on
                failures.append(_failure(job.ticket, error))
                continue
            rows += count
            self._running[job.ticket] = job
            if alone:
                break
        return failures

    def _begin(self, job: _Job) -> None:
        """Admit an attempt at a request to the decoder."""
        if job.stream:
            job.numbers = self._decoder.admit([job.prepared.utterance(job.prepared.seed)])
        else:
            job.numbers = self._decoder.admit(self.text2speech.candidates(job.prepared, job.attempt))

    def _stream(self, job: _Job, new: dict[int, list[int]]) -> Piece | None:
        """The next chunk of a stream, if it is full."""
        state, (number,) = job.stream, job.numbers
        assert state is not None
        state.first += new.get(number, [])
        result = self._decoder.results[number]
        if result is None and len(state.first) < self._streams.wanted(state):
            return None
        wav = self._streams.sound(state, result.outcome if result else None)
        outcome, problem = state.outcome, job.prepared.problem if state.outcome else None
        if outcome is Outcome.OK and problem:
            outcome = Outcome.UNKNOWN_TOKENS
        return Piece(job.ticket, wav, outcome, problem)

    def _whole(self, job: _Job) -> Piece | None:
        """The speech of a request all of whose candidates have ended, unless it is worth another attempt."""
        decoded: list[Decoded] = [
            one for one in (self._decoder.results[number] for number in job.numbers) if one is not None
        ]
        if len(decoded) < len(job.numbers):
            return None
        (speech,) = self.text2speech.choose([job.prepared], [decoded])
        job.best = better(job.best, speech, job.attempt)
        if job.best.outcome is not Outcome.OK and job.attempt < self.text2speech.options.retries:
            self._decoder.drop(job.numbers)
            job.attempt += 1
            self._begin(job)
            return None
        speech = tell_unknown(job.best, job.prepared)
        return Piece(job.ticket, speech.wav.numpy(), speech.outcome, speech.problem)


def _failure(ticket: int, error: Exception) -> Piece:
    """The last piece of a request that met an error."""
    logging.error("request %d failed", ticket, exc_info=error)
    return Piece(ticket, np.zeros(0, dtype=np.float32), problem=str(error) or repr(error), failed=True)


def run(scheduler: Scheduler) -> dict[int, list[Piece]]:
    """All pieces of what waits, by their tickets."""
    pieces: dict[int, list[Piece]] = {}
    while not scheduler.idle:
        for piece in scheduler.step():
            pieces.setdefault(piece.ticket, []).append(piece)
    return pieces
