"""A worker: a process of its own with the models, which decodes all requests in one batch."""

import io
import logging
import os
import queue
import signal
import threading
import time
from multiprocessing.connection import Connection

import numpy as np
import soundfile
import torch

from espnet2_valle.asr.registry import open_recognizer
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.known import known_of
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.prepare_prompt import prepare_samples
from espnet2_valle.generate.prompt_check import PromptLimits
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.scheduler import Scheduler
from espnet2_valle.generate.streaming import check_streams
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.serve.messages import Beat, Cancel, Check, Failed, Made, Prepare, Ready, Refused, Speak

BEAT_SECONDS = 1.0
MAX_CHANNELS, MIN_RATE, MAX_RATE = 2, 8000, 192000  # of an upload
UPLOAD = "recording"  # what an upload is called in errors


def work(model: ModelSpec, rows: int, threads: int, recognizer: str, pipe: Connection) -> None:
    """Serve what comes through a pipe until its other end is closed.

    Args:
        model: to speak with.
        rows: utterances decoded at once.
        threads: of torch; 0 leaves it as it is.
        recognizer: transcribes uploads without text, see `open_recognizer`.
        pipe: to the service.
    """
    for each in (signal.SIGINT, signal.SIGTERM):  # the service ends its workers when they are done
        signal.signal(each, signal.SIG_IGN)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s worker %(process)d %(levelname)s: %(message)s"
    )
    if threads:
        torch.set_num_threads(threads)
    try:
        text2speech = open_text2speech(model)
        check_streams(text2speech)
    except InputError as error:
        pipe.send(Failed(error.where, error.problem, error.remedy))
        return
    worker = Worker(text2speech, rows, recognizer, pipe)
    pipe.send(Ready(text2speech.fs, bool(text2speech.nar.chunk_frames), known_of(text2speech)))
    worker.run()


class Worker:
    """The loop of a worker.

    Args:
        text2speech, rows, recognizer, pipe: see `work`.
    """

    def __init__(self, text2speech: Text2Speech, rows: int, recognizer: str, pipe: Connection):
        self.text2speech = text2speech
        self.scheduler = Scheduler(text2speech, rows)
        self.recognizer = recognizer
        self.pipe = pipe
        self._inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._beat = 0.0

    def run(self) -> None:
        """Go on until the pipe is closed."""
        threading.Thread(target=self._receive, daemon=True).start()
        while True:
            self._take_in()
            if not self.scheduler.idle:
                for piece in self.scheduler.step():
                    self.pipe.send(piece)
            if time.monotonic() - self._beat > BEAT_SECONDS:
                self._beat = time.monotonic()
                self.pipe.send(Beat(self.scheduler.rows))

    def _receive(self) -> None:
        """Take messages out of the pipe as they come, so that no one waits to put them in."""
        while True:
            try:
                self._inbox.put(self.pipe.recv())
            except (EOFError, OSError):  # the service has gone: nothing here is of use to anyone
                os._exit(0)

    def _take_in(self) -> None:
        """Take what has come; wait for it where there is nothing else to do."""
        while True:
            try:
                message = self._inbox.get(self.scheduler.idle, BEAT_SECONDS)
            except queue.Empty:
                return
            try:
                self._handle(message)
            except InputError as error:
                self._refuse(message, f"{error.where}: {error.problem}")
            except Exception as error:  # of this request: the others go on
                logging.exception("a request failed")
                self._refuse(message, f"failed ({type(error).__name__})")

    def _refuse(self, message: object, problem: str) -> None:
        ticket: int = message.ticket  # type: ignore[attr-defined]
        self.pipe.send(Refused(ticket, problem))

    def _handle(self, message: object) -> None:
        match message:
            case Cancel(ticket):
                self.scheduler.cancel(ticket)
            case Speak(ticket, text, voice, seed, streamed, sampling, wishes):
                request = Request(text, voice, seed=seed, sampling=sampling, **wishes)
                prepared = self.text2speech.prepare(request)
                self.scheduler.submit(ticket, prepared, streamed)
            case Check(ticket, where, voice):
                voice.check(where, self.text2speech.codec)
                self.pipe.send(Made(ticket, voice))
            case Prepare():
                self.pipe.send(self._prepare(message))

    def _prepare(self, asked: Prepare) -> Made:
        """Make a prompt of a recording.

        Raises:
            InputError: it cannot be one.
        """
        samples, rate = read_upload(asked.content, asked.max_seconds)
        voice, report = prepare_samples(
            samples,
            rate,
            self.text2speech.codec,
            asked.text,
            lambda wav, rate: open_recognizer(self.recognizer).transcribe(wav, rate),
            PromptLimits(),
            listener=self.recognizer,
            where=UPLOAD,
        )
        return Made(asked.ticket, voice, report.warnings)


def read_upload(content: bytes, max_seconds: float) -> tuple[np.ndarray, int]:
    """Samples (S, channels) float32 of the bytes of a sound file, and their rate in Hz.

    Raises:
        InputError: it is none, or too much of one: its head is asked before memory is taken.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate = int(file.samplerate)
            if file.channels > MAX_CHANNELS or not MIN_RATE <= rate <= MAX_RATE:
                problem = f"has {file.channels} channels at {rate} Hz"
                raise InputError(UPLOAD, problem, f"Send one or two, at {MIN_RATE} to {MAX_RATE} Hz")
            if file.frames > max_seconds * rate:
                raise InputError(UPLOAD, f"is longer than {max_seconds:g} s", "Send a part of it")
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(UPLOAD, f"is no readable sound file ({error})", "Send WAV, FLAC or Ogg") from error
    if not np.isfinite(samples).all():
        raise InputError(UPLOAD, "has NaN or infinite samples", "Export it again")
    return samples, rate
