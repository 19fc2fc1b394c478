"""Time to the first sound of a stream, its parts, and the gaps behind it, over the stream's length."""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from espnet2.utils.types import str2bool

from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.speech import speech_codec
from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.stream import CodecStream
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.ar_decoding import ARDecoder
from espnet2_valle.generate.options import DecodingOptions, SamplingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Prepared, Request
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.generate.streaming import CHUNK_SECONDS, Streamer, choose_chunks
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.tasks.planned import build_planned
from espnet2_valle.valle.decode_steps import MODES, prepare_ar, prepare_nar
from espnet2_valle.valle.quantize import DTYPES

VOCAB = 64
PROMPT_SECONDS = 3.0
MINUTE = 60
FIRST_BAR, FIRST_BAR_OF_A_GPU = 0.2, 0.15  # seconds
FLAT_BAR = 1.5  # of the longest utterance over the shortest
Ask = Callable[[float], Iterator[Prepared]]  # seconds of speech -> requests that are exactly that together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--seconds", type=float, nargs="+", default=[2, 5, 10, 20], help="of speech")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the weights")
    parser.add_argument("--native", choices=MODES, default="auto", help="AR steps in compiled code")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cuda_graphs", type=str2bool, default=False, help="AR steps as CUDA graphs")
    parser.add_argument("--words_per_minute", type=float, default=110)
    parser.add_argument(
        "--max_words",
        type=int,
        default=12,
        help="longer texts are cut, as by valle_stream; 0: said in one go",
    )
    group = parser.add_argument_group("a trained model, with text")
    group.add_argument("--model_tag", help="packed model; without it random weights and a made-up codec")
    group.add_argument("--prompt", help="prepared prompt (.npz) of that model's codec")
    group.add_argument("--words", help="file of the words that texts are made of")
    group = parser.add_argument_group("random weights, with token ids")
    group.add_argument("--ar_config", default=str(find("train_ar_mini.yaml")))
    group.add_argument("--nar_config", default=str(find("train_nar_mini.yaml")))
    group.add_argument("--codec_config", default=str(find("codec/world.yaml")))
    group.add_argument("--tokens_per_second", type=float, default=10, help="of the text")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Streams of each length in turn, `repeats` times; metrics are medians.

    The voice is there; the clock starts before the text is read.
    """
    streamer, ask = _trained(args) if args.model_tag else _random(args)
    about = {"sizes": args.model_tag or Path(args.ar_config).stem, "dtype": args.dtype, "native": args.native}
    about |= {"threads": torch.get_num_threads(), "device": args.device}
    about |= {"chunks": f"{streamer.chunks.first}+{streamer.chunks.size}", "max_words": args.max_words}
    runs: dict[float, list[Timing]] = {seconds: [] for seconds in args.seconds}
    parts: dict[float, list[dict[str, float]]] = {seconds: [] for seconds in args.seconds}
    for repeat in range(-1, args.repeats):  # the first round warms up
        for seconds in args.seconds:
            timing, part = time_stream(streamer, ask, seconds), time_parts(streamer, ask, seconds)
            if repeat >= 0:
                runs[seconds].append(timing)
                parts[seconds].append(part)
    metrics = []
    for seconds in args.seconds:
        metrics += _metrics(runs[seconds], parts[seconds], {"seconds": seconds, **about})
    firsts = [statistics.median(one.first for one in runs[each]) for each in args.seconds]
    flat = firsts[-1] / firsts[0]
    return [*metrics, Metric("stream_first_sound_flat", flat, "ratio", f"<= {FLAT_BAR}", about)]


@dataclass(frozen=True)
class Timing:
    """Times of a stream's pieces, in seconds.

    Attributes:
        first: until the first sound.
        gap: the longest wait for a chunk behind it.
        stall: for how long a listener, who plays each chunk as it comes, hears nothing after the first one.
        total: until the end.
    """

    first: float
    gap: float
    stall: float
    total: float


def time_stream(streamer: Streamer, ask: Ask, seconds: float) -> Timing:
    """Run one stream to its end."""
    begun = time.perf_counter()
    came, lasts = [], []
    for prepared in ask(seconds):
        for wav in streamer.run(streamer.start(prepared)):
            came.append(time.perf_counter() - begun)
            lasts.append(len(wav) / streamer.codec.sample_rate)
    return Timing(came[0], float(np.diff(came).max(initial=0.0)), stalled(came, lasts), came[-1])


def stalled(came: list[float], lasts: list[float]) -> float:
    """Seconds of silence between chunks that arrive at `came` and last for `lasts` seconds."""
    silence, heard_until = 0.0, came[0]
    for at, length in zip(came, lasts, strict=True):
        silence += max(0.0, at - heard_until)
        heard_until = max(at, heard_until) + length
    return silence


@torch.inference_mode()
def time_parts(streamer: Streamer, ask: Ask, seconds: float) -> dict[str, float]:
    """Seconds of each step to the first sound, one behind the other."""
    marks = [("", time.perf_counter())]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter()))

    codes: list[int] = []
    prepared = next(ask(seconds))
    mark("text")
    decoder = ARDecoder(streamer.ar, [prepared.utterance(0)], streamer.sampling)
    mark("ar_prefill")
    while len(codes) < streamer.chunks.first:
        codes += decoder.step()[0]
    mark("ar_codes")
    context = streamer.nar.prefill(prepared.text, prepared.prompt, prepared.languages, prepared.style)
    mark("nar_prefill")
    first = torch.tensor(codes[: streamer.chunks.first], device=prepared.text.device)
    filled = streamer.nar.extend(first, context).cpu().numpy()
    mark("nar_chunk")
    CodecStream(streamer.codec, prepared.prompt.cpu().numpy()).push(filled)
    mark("codec")
    return {name: end - start for (_, start), (name, end) in zip(marks, marks[1:])}


def _metrics(runs: list[Timing], parts: list[dict[str, float]], config: dict[str, Any]) -> list[Metric]:
    """Medians over the runs of one length."""
    first, gap, stall, total = (
        statistics.median(getattr(run, name) for run in runs) for name in ("first", "gap", "stall", "total")
    )
    factor = total / config["seconds"]
    bar = FIRST_BAR if config["device"] == "cpu" else FIRST_BAR_OF_A_GPU
    return [
        Metric("stream_first_sound", first, "s", f"<= {bar}", config),
        *[
            Metric(f"stream_{name}", statistics.median(part[name] for part in parts), "s", "", config)
            for name in parts[0]
        ],
        Metric("stream_largest_gap", gap, "s", "", config),
        Metric("stream_stall", stall, "s", "<= 0", config),
        Metric("stream_real_time_factor", factor, "ratio", "<= 1", config),
    ]


def _trained(args: argparse.Namespace) -> tuple[Streamer, Ask]:
    """A packed model, which is asked for words.

    Raises:
        InputError: no prompt or no words are given.
    """
    for name in ("prompt", "words"):
        if not getattr(args, name):
            raise InputError(f"--{name}", "is not given", "--model_tag needs it")
    text2speech = Text2Speech.from_pretrained(
        args.model_tag,
        device=args.device,
        dtype=args.dtype,
        native=args.native,
        cuda_graphs=args.cuda_graphs,
    )
    voice = PreparedPrompt.load(args.prompt, text2speech.codec)
    words = Path(args.words).read_text(encoding="utf-8").split()

    def ask(seconds: float) -> Iterator[Prepared]:
        drawn = random.Random(round(seconds))
        for count, duration in _pieces(seconds, args):
            prepared = text2speech.prepare(Request(" ".join(drawn.choices(words, k=count)), voice))
            yield replace(prepared, limits=_exactly(duration, text2speech.codec))

    return Streamer.of(text2speech), ask


def _random(args: argparse.Namespace) -> tuple[Streamer, Ask]:
    """Random weights, which are asked for token ids."""
    torch.manual_seed(0)
    codec = speech_codec(Path(args.codec_config))
    rate = codec.frame_rate
    sizes = (VOCAB, rate, codec.num_codebooks, codec.codebook_size)
    chunked = {"chunk_frames": round(CHUNK_SECONDS * rate)}
    ar = build_planned(args.ar_config, *sizes)[0].valle.eval().to(args.device)
    nar = build_planned(args.nar_config, *sizes, chunked)[0].valle.eval().to(args.device)
    prepare_ar(ar, args.dtype, args.native, args.cuda_graphs)
    prepare_nar(nar, args.dtype)
    generator = torch.Generator().manual_seed(0)
    shape = (round(PROMPT_SECONDS * rate), codec.num_codebooks)
    prompt = torch.randint(0, codec.codebook_size, shape, generator=generator).to(args.device)
    prompt_tokens = round(PROMPT_SECONDS * args.tokens_per_second)

    def ask(seconds: float) -> Iterator[Prepared]:
        first = prompt[:, 0].contiguous()
        for _, duration in _pieces(seconds, args):
            tokens = prompt_tokens + round(duration * args.tokens_per_second)
            text = torch.randint(0, VOCAB, (tokens,), generator=generator).to(args.device)
            limits = _exactly(duration, codec)
            yield Prepared(Request("", prompt), text, prompt, first, limits, 0, prompt_tokens)

    chunks, watermark = choose_chunks(nar, rate), DecodingOptions().build_watermark()
    return Streamer(ar, nar, codec, SamplingOptions(), chunks, watermark), ask


def _pieces(seconds: float, args: argparse.Namespace) -> Iterator[tuple[int, float]]:
    """Words and duration of each piece that a text of `seconds` is cut into."""
    words = max(1, round(seconds * args.words_per_minute / MINUTE))
    size = args.max_words or words
    for start in range(0, words, size):
        count = min(size, words - start)
        yield count, seconds * count / words


def _exactly(seconds: float, codec: AbsCodec) -> Limits:
    """Duration ratios that make the AR model speak for so long, whatever it says."""
    frames = round(seconds * codec.frame_rate)
    return Limits(frames, frames)
