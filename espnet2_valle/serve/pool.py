"""Workers seen from the service: who is given what, and what happens to it when one dies."""

import asyncio
import logging
import multiprocessing
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.known import Known
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.scheduler import Piece
from espnet2_valle.serve.messages import Beat, Cancel, Check, Failed, Made, Prepare, Ready, Refused, Speak
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.refusal import Refusal, invalid, restarting
from espnet2_valle.serve.worker import work

WATCH_SECONDS = 1.0
STOP_SECONDS = 5.0  # until a worker that was told to stop is ended
PAUSE_SECONDS = (0.0, 1.0, 5.0, 30.0)  # before the next start of a worker that dies before it is ready


@dataclass(eq=False)
class _Call:
    """Something that was asked of a worker.

    Attributes:
        message: what is asked.
        answers: of the worker, or a `Refusal`.
        tries: workers that it was given to.
        retries: further ones that it may be given to.
        worker: that has it now; None while it waits for one.
        sent: samples that whoever asked has got.
        skip: samples that a new worker says once more.
    """

    message: Speak | Prepare | Check
    retries: int
    answers: "asyncio.Queue[Piece | Made | Refusal]" = field(default_factory=asyncio.Queue)
    tries: int = 0
    worker: "_Worker | None" = None
    sent: int = 0
    skip: int = 0


class _Worker:
    """A worker process.

    Args:
        arguments: of `work`, but for the pipe.
        heard: called in the loop with each message, and with None when the worker has died.
    """

    def __init__(self, arguments: tuple[Any, ...], heard: Callable[["_Worker", Any], None]):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(*arguments, other), daemon=True)
        self.process.start()
        other.close()
        self.calls: set[_Call] = set()
        self.ready: Ready | None = None
        self.rows = 0
        self.seen = time.monotonic()
        self._heard = heard
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, self._pipe), daemon=True).start()

    def send(self, message: object) -> None:
        """Send a message; one to a worker that has died is lost, as what it does will be."""
        with suppress(OSError):
            self._pipe.send(message)

    def end(self) -> None:
        """Kill the process, if it is there."""
        self.process.kill()

    def close(self) -> None:
        """Tell the process that it is not needed any more."""
        self._pipe.close()

    def _listen(self, loop: asyncio.AbstractEventLoop, pipe: Connection) -> None:
        message: Any = True
        while message is not None:
            try:
                message = pipe.recv()
            except (EOFError, OSError, TypeError):  # TypeError: closed while it was waited for
                message = None
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._heard, self, message)


class Pool:
    """The workers of a service.

    A worker that dies, or is silent for too long, is followed by another one, and its requests are given to
    that: with the same seed it says the same, of which what was sent already is left out.

    Args:
        model: to speak with.
        options: rows, patience, retries.
        count: workers.
        threads: of each; 0 leaves it to torch.
        recognizer: see `work`.
    """

    def __init__(self, model: ModelSpec, options: ServeOptions, count: int, threads: int, recognizer: str):
        self.options = options
        self.restarts = 0
        self.rate = 0
        self.streams = False
        self.known = Known()
        self._arguments = (model, options.rows, threads, recognizer)
        self._count = count
        self._workers: list[_Worker] = []
        self._calls: dict[int, _Call] = {}
        self._held: list[_Call] = []  # until a worker is ready
        self._tickets = 0
        self._failure: Failed | None = None
        self._early_deaths = 0
        self._stopping = False
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin the workers, and wait until one is ready.

        Raises:
            InputError: the model cannot be opened.
        """
        for _ in range(self._count):
            self._begin()
        self._background(self._watch())
        while not self.ready:
            self._changed.clear()
            await self._changed.wait()
            if self._failure:
                await self.stop()
                raise InputError(self._failure.where, self._failure.problem, self._failure.remedy)

    async def stop(self) -> None:
        """End the workers."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            await asyncio.to_thread(worker.process.join, STOP_SECONDS)
            worker.end()

    @property
    def ready(self) -> int:
        """Workers that take requests."""
        return sum(worker.ready is not None for worker in self._workers)

    @property
    def rows(self) -> int:
        """Rows that are being decoded, as far as it is known."""
        return sum(worker.rows for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [worker.process.pid or 0 for worker in self._workers]

    async def speak(
        self,
        text: str,
        voice: PreparedPrompt,
        seed: int | None,
        streamed: bool,
        sampling: SamplingOptions | None = None,
        wishes: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Piece, None]:
        """Say a text of one sentence; the arguments are those of `Request` and `Scheduler.submit`.

        Args:
            wishes: of languages and style, see `Speak`.

        Yields:
            pieces as they come; the last one has an outcome.

        Raises:
            Refusal: of the text, or for want of a worker.
        """
        message = Speak(self._ticket(), text, voice, seed, streamed, sampling, wishes or {})
        call = self._ask(message, self.options.retries)
        try:
            while True:
                piece = await self._answer(call)
                assert isinstance(piece, Piece)
                if piece.failed:
                    raise Refusal(500, f"synthesis failed: {piece.problem}", "synthesis_failed")
                yield piece
                if piece.last:
                    return
        finally:
            self._forget(call)

    async def prepare(self, content: bytes, text: str | None) -> Made:
        """Make a prompt of the bytes of a sound file; without a text it is cut, and transcribed.

        Raises:
            Refusal: it cannot be one, or the worker died of it.
        """
        asked = Prepare(self._ticket(), content, text, self.options.max_prompt_seconds)
        return await self._made(asked, 0)  # what a worker has died of is not tried again

    async def check(self, where: str, voice: PreparedPrompt) -> None:
        """Raise Refusal unless a voice, which is called `where`, is of the model's codec."""
        await self._made(Check(self._ticket(), where, voice), self.options.retries)

    async def _made(self, asked: Prepare | Check, retries: int) -> Made:
        call = self._ask(asked, retries)
        try:
            made = await self._answer(call)
            assert isinstance(made, Made)
            return made
        finally:
            self._forget(call)

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _ask(self, message: Speak | Prepare | Check, retries: int) -> _Call:
        call = self._calls[message.ticket] = _Call(message, retries)
        self._give(call)
        return call

    async def _answer(self, call: _Call) -> Piece | Made:
        """The next answer.

        Raises:
            Refusal: there will be none.
        """
        answer = await call.answers.get()
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def _give(self, call: _Call) -> None:
        """Give a call to the worker that has least to do, or hold it until there is one."""
        ready = [worker for worker in self._workers if worker.ready]
        if not ready:
            self._held.append(call)
            return
        call.worker = min(ready, key=lambda worker: len(worker.calls))
        call.worker.calls.add(call)
        call.tries += 1
        call.worker.send(call.message)

    def _forget(self, call: _Call) -> None:
        """Let go of a call, done or not."""
        self._calls.pop(call.message.ticket, None)
        if call in self._held:
            self._held.remove(call)
        if call.worker is not None:
            call.worker.calls.discard(call)
            call.worker.send(Cancel(call.message.ticket))

    def _begin(self) -> None:
        self._workers.append(_Worker(self._arguments, self._heard))

    def _heard(self, worker: _Worker, message: Any) -> None:
        """Take a message of a worker."""
        worker.seen = time.monotonic()
        match message:
            case None:
                self._died(worker)
            case Ready():
                worker.ready, self.known = message, message.known
                self.rate, self.streams = message.rate, message.streams
                self._early_deaths = 0
                held, self._held = self._held, []
                for call in held:
                    self._give(call)
                self._changed.set()
            case Failed():
                self._failure = message
                self._changed.set()
            case Beat(rows):
                worker.rows = rows
            case Refused(ticket, problem):
                self._deliver(worker, ticket, invalid(problem, code="cannot_be_said"))
            case Piece() | Made():
                self._deliver(worker, message.ticket, message)

    def _deliver(self, worker: _Worker, ticket: int, answer: Piece | Made | Refusal) -> None:
        """Hand an answer on, unless no one waits for it any more."""
        call = self._calls.get(ticket)
        if call is None or call.worker is not worker:
            return
        if isinstance(answer, Piece):
            said = len(answer.wav)
            left_out = min(call.skip, said)
            call.skip -= left_out
            call.sent += said - left_out
            answer = replace(answer, wav=answer.wav[left_out:])
        call.answers.put_nowait(answer)

    def _died(self, worker: _Worker) -> None:
        """Begin another worker, and see to what this one had."""
        if worker not in self._workers or self._stopping:
            return
        self._workers.remove(worker)
        worker.close()
        worker.end()  # it may only have closed its pipe
        worker.process.join()
        logging.error("worker %s died (exit code %s)", worker.process.pid, worker.process.exitcode)
        worker.process.close()
        self.restarts += 1
        pause = 0.0
        if worker.ready is None:
            pause = PAUSE_SECONDS[min(self._early_deaths, len(PAUSE_SECONDS) - 1)]
            self._early_deaths += 1
        for call in list(worker.calls):
            call.worker = None
            if call.tries > call.retries:
                call.answers.put_nowait(restarting())
            else:
                call.skip = call.sent
                self._give(call)
        self._background(self._begin_later(pause))
        self._changed.set()

    async def _begin_later(self, pause: float) -> None:
        await asyncio.sleep(pause)
        self._begin()

    async def _watch(self) -> None:
        """End workers that have something to do and are silent."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for worker in self._workers:
                silent = time.monotonic() - worker.seen > self.options.stuck_seconds
                if worker.calls and silent:
                    logging.error("worker %s is stuck, and ended", worker.process.pid)
                    worker.end()

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
