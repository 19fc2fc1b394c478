"""The service against the bare decoder: first sound and throughput by clients; and minutes of trouble."""

import argparse
import queue
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from espnet2.utils.types import str2bool

from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.service import Service, ask, started
from espnet2_valle.bench.soak import soak
from espnet2_valle.common.conf import find, read_yaml
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.scheduler import Scheduler
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.zoo.trained import ModelFiles

OVERHEAD_BAR, BATCH_BAR = 1.1, 3.0
ROWS = 16
PCM_BYTES = 2 * 24000  # a second of what the service sends


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--model_tag", required=True, help="packed model")
    parser.add_argument("--prompt", required=True, help="prepared prompt (.npz) of that model's codec")
    parser.add_argument("--words", required=True, help="file of the words that texts are made of")
    parser.add_argument("--decode_config", default=str(find("decode.yaml")), help="options of decoding")
    parser.add_argument("--serve_config", default=str(find("serve.yaml")), help="limits of the service")
    parser.add_argument("--dtype", default="float32", help="of the weights")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="that ask at once")
    parser.add_argument("--count", type=int, default=32, help="requests in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--text_words", type=int, default=5, help="of each text")
    parser.add_argument("--stream", type=str2bool, default=False, help="chunk by chunk")
    parser.add_argument("--workers", type=int, default=1, help="of the service; the bare decoder is one")
    parser.add_argument("--threads", type=int, default=1, help="of each worker, and of the bare decoder")
    parser.add_argument("--compare", type=str2bool, default=True, help="the service with the bare decoder")
    parser.add_argument("--minutes", type=float, default=0.0, help="of mixed requests; 0: none")


@dataclass(frozen=True)
class Round:
    """A round of requests.

    Attributes:
        first: median seconds to the first sound.
        seconds: of all.
        speech: seconds of speech.
    """

    first: float
    seconds: float
    speech: float

    @property
    def rate(self) -> float:
        """Seconds of speech a second."""
        return self.speech / self.seconds


def measure(args: argparse.Namespace) -> list[Metric]:
    """Rounds of the bare decoder and of the service in turn; metrics are medians."""
    torch.set_num_threads(args.threads)
    texts = _texts(args)
    words = ["--model_tag", args.model_tag, "--config", args.decode_config, "--dtype", args.dtype]
    words += ["--workers", str(args.workers), "--threads", str(args.threads)]
    about = {"model": Path(args.model_tag).name, "dtype": args.dtype, "stream": args.stream}
    about |= {"workers": args.workers, "threads": args.threads}
    metrics: list[Metric] = []
    with started(words, args.prompt, args.serve_config) as service:
        if args.compare:
            metrics += _compare(args, service, texts, about)
        if args.minutes:
            metrics += soak(service, texts, args.minutes, max(args.clients), about)
    return metrics


def _compare(
    args: argparse.Namespace, service: Service, texts: Sequence[str], about: dict[str, Any]
) -> list[Metric]:
    options = DecodingOptions(**{**read_yaml(args.decode_config, "--decode_config"), "dtype": args.dtype})
    text2speech = open_text2speech(ModelSpec(ModelFiles(model_tag=args.model_tag), options=options))
    voice = PreparedPrompt.load(args.prompt, text2speech.codec)
    bare: dict[int, list[Round]] = {count: [] for count in args.clients}
    served: dict[int, list[Round]] = {count: [] for count in args.clients}
    for number in range(-1, args.rounds):  # the first one warms up
        for count in args.clients:
            each = (
                bare_round(text2speech, voice, texts, count, args.stream),
                served_round(service, texts, count, args.stream),
            )
            if number >= 0:
                bare[count].append(each[0])
                served[count].append(each[1])
    metrics = []
    for count in args.clients:
        config = {"clients": count, **about}
        for name, rounds in (("bare", bare[count]), ("served", served[count])):
            metrics.append(Metric(f"{name}_first_sound", _median(rounds, "first"), "s", "", config))
            metrics.append(Metric(f"{name}_throughput", _median(rounds, "rate"), "s/s", "", config))
        first = _median(served[count], "first") / _median(bare[count], "first")
        rate = _median(bare[count], "rate") / _median(served[count], "rate")
        metrics.append(Metric("first_sound_overhead", first, "ratio", f"<= {OVERHEAD_BAR}", config))
        metrics.append(Metric("throughput_overhead", rate, "ratio", f"<= {OVERHEAD_BAR}", config))
    few, many = min(args.clients), max(args.clients)
    for name, of in (("bare", bare), ("served", served)):
        gain = _median(of[many], "rate") / _median(of[few], "rate")
        metrics.append(
            Metric(f"{name}_gain_{many}_clients_over_{few}", gain, "ratio", f">= {BATCH_BAR}", about)
        )
    return metrics


def bare_round(
    text2speech: Text2Speech, voice: PreparedPrompt, texts: Sequence[str], clients: int, stream: bool
) -> Round:
    """Say all texts, `clients` at once, with a `Scheduler` in this process."""
    scheduler = Scheduler(text2speech, ROWS)
    waiting: Iterator[tuple[int, str]] = iter(enumerate(texts))
    begun, samples = time.perf_counter(), 0
    asked: dict[int, float] = {}
    firsts: dict[int, float] = {}

    def submit() -> None:
        for number, text in waiting:
            asked[number] = time.perf_counter()
            scheduler.submit(number, text2speech.prepare(Request(text, voice, seed=number)), stream)
            return

    for _ in range(clients):
        submit()
    while not scheduler.idle:
        for piece in scheduler.step():
            samples += len(piece.wav)
            if len(piece.wav):
                firsts.setdefault(piece.ticket, time.perf_counter() - asked[piece.ticket])
            if piece.last:
                submit()
    seconds = time.perf_counter() - begun
    return Round(statistics.median(firsts.values()), seconds, samples / text2speech.fs)


def served_round(service: Service, texts: Sequence[str], clients: int, stream: bool) -> Round:
    """Ask the service for all texts, `clients` at once."""
    waiting: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
    for each in enumerate(texts):
        waiting.put(each)
    answers: list[tuple[float, float, int]] = []

    def client() -> None:
        while True:
            try:
                number, text = waiting.get_nowait()
            except queue.Empty:
                return
            answers.append(ask(service, text, number, "pcm", stream))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if len(answers) < len(texts):
        raise RuntimeError(f"{len(texts) - len(answers)} of {len(texts)} requests failed; see above")
    first = statistics.median(first for first, _, _ in answers)
    return Round(first, seconds, sum(count for _, _, count in answers) / PCM_BYTES)


def _texts(args: argparse.Namespace) -> list[str]:
    words = Path(args.words).read_text(encoding="utf-8").split()
    draw = random.Random(0)
    return [" ".join(draw.choices(words, k=args.text_words)) for _ in range(args.count)]


def _median(rounds: Sequence[Round], name: str) -> float:
    return statistics.median(getattr(one, name) for one in rounds)
