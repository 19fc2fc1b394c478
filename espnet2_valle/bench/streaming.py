"""How soon a stream is heard, and whether it keeps up, whatever its length."""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from espnet2_valle.bench.figure import Figure
from espnet2_valle.bench.speech import speech_codec
from espnet2_valle.generate.sampling import SamplingOptions
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.generate.streaming import CHUNK_SECONDS, FIRST_SECONDS, Streamer
from espnet2_valle.generate.text2speech import Prepared, Request, Text2Speech
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.chunks import Chunks
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.native.step import MODES, native_step

VOCAB = 64
PROMPT_SECONDS = 3.0
FIRST_BAR = 0.2  # seconds
FLAT_BAR = 1.5  # of the longest utterance over the shortest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--seconds", type=float, nargs="+", default=[2, 5, 10, 20], help="of speech")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tokens_per_second", type=float, default=10, help="of the text")
    parser.add_argument("--model_tag", help="packed model; without it random weights and a made-up codec")
    parser.add_argument("--ar_config", default="conf/train_ar_mini.yaml", help="sizes of random weights")
    parser.add_argument("--nar_config", default="conf/train_nar_mini.yaml")
    parser.add_argument("--codec_config", default="conf/codec/world.yaml")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--native", choices=MODES, default="auto", help="AR steps in compiled code")


def measure(args: argparse.Namespace) -> list[Figure]:
    """Streams of each length in turn, `repeats` times; figures are medians.

    The prompt's codes are there; the clock starts before the AR model reads text and prompt.
    """
    streamer = _open(args)
    about = {"sizes": args.model_tag or Path(args.ar_config).stem, "threads": torch.get_num_threads()}
    about |= {
        "device": args.device,
        "native": args.native,
        "chunks": f"{streamer.chunks.first}+{streamer.chunks.size}",
    }
    runs: dict[float, list[tuple[float, float, float]]] = {seconds: [] for seconds in args.seconds}
    _time(streamer, _ask(streamer, args.seconds[0], args))  # warm-up
    for _ in range(args.repeats):
        for seconds in args.seconds:
            runs[seconds].append(_time(streamer, _ask(streamer, seconds, args)))
    figures, firsts = [], []
    for seconds, results in runs.items():
        first, gap, total = (statistics.median(values) for values in zip(*results, strict=True))
        config = {"seconds": seconds, **about}
        figures.append(Figure("stream_first_sound", first, "s", f"<= {FIRST_BAR}", config))
        figures.append(Figure("stream_largest_gap", gap, "s", "", config))
        figures.append(Figure("stream_real_time_factor", total / seconds, "ratio", "<= 1", config))
        firsts.append(first)
    flat = firsts[-1] / firsts[0]
    figures.append(Figure("stream_first_sound_flat", flat, "ratio", f"<= {FLAT_BAR}", about))
    return figures


def _time(streamer: Streamer, prepared: Prepared) -> tuple[float, float, float]:
    """Seconds to the first sound, of the largest gap behind it, and of all."""
    times = [time.perf_counter()]
    for _ in streamer.run(streamer.start(prepared)):
        times.append(time.perf_counter())
    steps = np.diff(times)
    return float(steps[0]), float(steps[1:].max(initial=0.0)), times[-1] - times[0]


def _ask(streamer: Streamer, seconds: float, args: argparse.Namespace) -> Prepared:
    """A request for exactly `seconds` of speech."""
    codec, generator = streamer.codec, torch.Generator().manual_seed(0)
    frames, prompt_frames = round(seconds * codec.frame_rate), round(PROMPT_SECONDS * codec.frame_rate)
    tokens, prompt_tokens = (round(each * args.tokens_per_second) for each in (seconds, PROMPT_SECONDS))
    vocab = streamer.ar.text.end
    text = torch.randint(0, vocab, (prompt_tokens + tokens,), generator=generator).to(args.device)
    shape = (prompt_frames, codec.num_codebooks)
    prompt = torch.randint(0, codec.codebook_size, shape, generator=generator).to(args.device)
    limits = Limits(frames, frames)
    return Prepared(Request("", prompt), text, prompt, prompt[:, 0].contiguous(), limits, 0, prompt_tokens)


def _open(args: argparse.Namespace) -> Streamer:
    """The packed model, or one with random weights."""
    if args.model_tag:
        return Streamer.of(
            Text2Speech.from_pretrained(args.model_tag, device=args.device, native=args.native)
        )
    torch.manual_seed(0)
    codec = speech_codec(Path(args.codec_config))
    sizes: dict[str, Any] = {
        "vocab_size": VOCAB,
        "num_codebooks": codec.num_codebooks,
        "codebook_size": codec.codebook_size,
    }
    rate = codec.frame_rate
    chunks = Chunks(round(FIRST_SECONDS * rate), round(CHUNK_SECONDS * rate))
    nar_conf = {**_conf(args.nar_config), "chunk_frames": chunks.size}
    ar = VALLEAR(**sizes, **_conf(args.ar_config)).eval().to(args.device)
    ar.transformer.native = native_step(ar.transformer, args.native)
    nar = VALLENAR(**sizes, **nar_conf).eval().to(args.device)
    return Streamer(ar, nar, codec, SamplingOptions(), chunks)


def _conf(path: str) -> dict[str, Any]:
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))["valle_conf"]
