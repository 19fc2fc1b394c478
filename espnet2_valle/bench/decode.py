"""Speed of decoding, measured with models of random weights: speed does not depend on what was learnt."""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from espnet2.utils.types import str2bool

from espnet2_valle.bench.metric import Metric, median_seconds
from espnet2_valle.bench.speech import speech_codec, voice
from espnet2_valle.common.conf import CONF
from espnet2_valle.common.machine import bfloat16
from espnet2_valle.generate.ar_decoding import ARDecoder, decode_ar
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prefill import Utterance, read_prefixes
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.tasks.planned import build_planned
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.decode_steps import MODES, prepare_ar, prepare_nar

VOCABULARY, CODEBOOKS, CODEBOOK_SIZE = 80, 8, 1024
TOKENS_PER_SECOND = 15  # phones
PROMPT_SECONDS = 3
ENCODEC_RATE = 75  # frames a second: 750 frames are 10 s
SHORT, LONG = 300, 3000  # frames between which the cost of a token is compared
BANDWIDTH_BYTES = 2**30
CPU_BAR, GPU_BAR = ">= 0.6", ">= 0.5"  # of the speed of memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--size", default="paper", help="mini, base or paper: of conf/train_*_SIZE.yaml")
    parser.add_argument("--conf_dir", default=str(CONF), help="where the configurations are")
    parser.add_argument("--seconds", type=float, default=10.0, help="of speech")
    parser.add_argument("--batch_size", type=int, default=8, help="to compare with one utterance")
    parser.add_argument("--steps", type=int, default=10, help="in a row, before the other side has its turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--long_frames", type=int, default=LONG, help=f"to compare with {SHORT}")
    parser.add_argument("--num_threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--native", choices=MODES, default="auto", help="steps in compiled code")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cuda_graphs", type=str2bool, default=False, help="steps recorded as CUDA graphs")


def measure(args: argparse.Namespace) -> list[Metric]:
    """All metrics; takes a quarter of an hour for `paper` on two cores."""
    torch.set_num_threads(args.num_threads)
    torch.manual_seed(0)
    group_1 = build(args, "ar", group_size=1)
    metrics = cache_metrics(args, converted(group_1, "bfloat16", args))
    for dtype in ("float32", *small_weights(args.device)):
        model = converted(group_1, dtype, args)
        metrics += batch_metrics(args, model, dtype)
        metrics += length_metrics(args, model, dtype)
        if dtype != "float32":
            metrics += bandwidth_metrics(args, model, dtype)
        if dtype == "float32":
            metrics += prefill_metrics(args, model)
    del group_1, model
    return metrics + nar_batch_metrics(args) + real_time_metrics(args)


def small_weights(device: str) -> tuple[str, ...]:
    """Types of weights that decoding is made faster by, the smallest last."""
    return ("bfloat16", "int8") if device == "cpu" else ("bfloat16",)


def build(args: argparse.Namespace, name: str, **valle_conf: int) -> Any:
    """The AR or NAR model ("ar", "nar") of the wanted size, with random weights.

    Raises:
        InputError: no such configuration.
    """
    config = Path(args.conf_dir) / f"train_{name}_{args.size}.yaml"
    sizes = (VOCABULARY, ENCODEC_RATE, CODEBOOKS, CODEBOOK_SIZE)
    return build_planned(config, *sizes, valle_conf)[0].valle.eval().to(args.device)


def converted(model: VALLEAR, dtype: str, args: argparse.Namespace) -> VALLEAR:
    """A copy of `model` for inference with weights of `dtype`, and with the steps that are asked for."""
    model = copy.deepcopy(model)
    prepare_ar(model, dtype, args.native, args.cuda_graphs)
    return model


def utterance(prompt_frames: int, text_tokens: int, frames: int, device: str = "cpu") -> Utterance:
    """One that goes on for `frames`, whatever the model says."""
    generator = torch.Generator(device).manual_seed(0)
    return Utterance(
        torch.randint(0, VOCABULARY, (text_tokens,), generator=generator, device=device),
        torch.randint(0, CODEBOOK_SIZE, (prompt_frames,), generator=generator, device=device),
        Limits(frames, frames),
        generator,
        text_tokens // 2,
    )


def typical(args: argparse.Namespace, frame_rate: float) -> tuple[int, int, int]:
    """Frames of the prompt, text tokens with the prompt's, and frames of the speech."""
    seconds = PROMPT_SECONDS + args.seconds
    return (
        round(PROMPT_SECONDS * frame_rate),
        round(TOKENS_PER_SECOND * seconds),
        round(args.seconds * frame_rate),
    )


def options() -> SamplingOptions:
    """Sampling options of the measured decoding; sampling is part of a step."""
    return SamplingOptions(top_p=0.6, repetition_window=10)


def alternate(decoders: Sequence[ARDecoder], steps: int, rounds: int) -> list[float]:
    """Median seconds a step of each decoder, measured in turns; the first turn is not counted."""
    times: list[list[float]] = [[] for _ in decoders]
    for turn in range(rounds + 1):
        for place, decoder in enumerate(decoders):
            for _ in range(steps):
                start = time.perf_counter()
                decoder.step()
                if turn:
                    times[place].append(time.perf_counter() - start)
    return [statistics.median(one) for one in times]


def config(args: argparse.Namespace, dtype: str, **more: object) -> dict[str, Any]:
    """Name the options that a metric was measured with."""
    about = {name: getattr(args, name) for name in ("size", "native", "device", "cuda_graphs")}
    return {**about, "dtype": dtype, "threads": args.num_threads, **more}


def cache_metrics(args: argparse.Namespace, model: VALLEAR) -> list[Metric]:
    """A whole utterance with the cache, against reading everything anew for each code."""
    prompt, text, frames = typical(args, ENCODEC_RATE)
    given = utterance(prompt, text, frames, args.device)
    decode_ar(
        model, [utterance(prompt, text, 2, args.device)], options()
    )  # warm-up: kernels are compiled for new shapes
    start = time.perf_counter()
    decode_ar(model, [given], options())
    cached = time.perf_counter() - start
    grown = [prompt, prompt + frames // 2, prompt + frames - 1]
    cost = [median_seconds(partial(read_anew, model, text, count), repeats=3) for count in grown]
    uncached = frames * (cost[0] + 4 * cost[1] + cost[2]) / 6  # Simpson's rule: exact for a quadratic cost
    setting = config(
        args, "bfloat16", group=1, frames=frames, uncached=f"measured at {grown} frames and integrated"
    )
    return [
        Metric("decode.cached_over_uncached", uncached / cached, "ratio", ">= 10", setting),
        Metric("decode.cached", 1000 * cached / frames, "ms/frame", "", setting),
        Metric("decode.uncached", 1000 * uncached / frames, "ms/frame", "", setting),
    ]


def read_anew(model: VALLEAR, text: int, frames: int) -> None:
    """Do a step without a cache."""
    given = utterance(frames, text, 1, str(model.codes.weight.device))
    logits = model.prefill(
        given.text[None], given.prompt[None, :, None], model.new_cache(1, text + 1 + frames)
    )
    logits.argmax().item()  # a GPU has to be waited for


def batch_metrics(args: argparse.Namespace, model: VALLEAR, dtype: str) -> list[Metric]:
    """Tokens a second of a batch over those of one utterance, from the middle of the utterance on."""
    prompt, text, frames = typical(args, ENCODEC_RATE)
    shared = utterance(prompt + frames // 2, text, (args.rounds + 1) * args.steps, args.device)
    sides = [ARDecoder(model, [shared] * size, options()) for size in (1, args.batch_size)]
    one, many = alternate(sides, args.steps, args.rounds)
    setting = config(args, dtype, group=1, batch=args.batch_size, positions=text + 1 + len(shared.prompt))
    return [
        Metric("decode.batch_over_single", args.batch_size * one / many, "ratio", ">= 4", setting),
        Metric("decode.batch_tokens", args.batch_size / many, "tokens/s", "", setting),
        Metric("decode.single_tokens", 1 / one, "tokens/s", "", setting),
    ]


def unlike(args: argparse.Namespace) -> list[Utterance]:
    """A batch as decoding cuts it, of utterances of nearly one length: the longest is a quarter longer."""
    prompt, text, frames = typical(args, ENCODEC_RATE)
    shares = [1 - 0.2 * place / args.batch_size for place in range(args.batch_size)]
    return [
        utterance(round(share * prompt), round(share * text), round(share * frames), args.device)
        for share in shares
    ]


def one_by_one(
    work: Callable[[Sequence[Utterance]], object], batch: Sequence[Utterance]
) -> tuple[float, float]:
    """Seconds that the utterances of a batch take one after the other, and together."""

    def each() -> None:
        for one in batch:
            work([one])

    return median_seconds(each, repeats=1), median_seconds(lambda: work(batch), repeats=1)


def prefill_metrics(args: argparse.Namespace, model: VALLEAR) -> list[Metric]:
    """Reading of texts and prompts in a batch over one by one."""
    batch = unlike(args)

    def read(some: Sequence[Utterance]) -> None:
        read_prefixes(model, some).logits.sum().item()  # a GPU has to be waited for

    alone, together = one_by_one(read, batch)
    positions = sum(len(one.text) + 1 + len(one.prompt) for one in batch)
    setting = config(args, "float32", group=1, batch=len(batch), positions=positions)
    return [
        Metric("decode.prefill_batch_over_single", alone / together, "ratio", "", setting),
        Metric("decode.prefill_batch", positions / together, "positions/s", "", setting),
        Metric("decode.prefill_single", positions / alone, "positions/s", "", setting),
    ]


def nar_batch_metrics(args: argparse.Namespace) -> list[Metric]:
    """Frames completed by the NAR model in a batch over one by one."""
    nar = build(args, "nar")
    prepare_nar(nar, "float32")
    batch = unlike(args)
    generator = torch.Generator(args.device).manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randint(0, CODEBOOK_SIZE, shape, generator=generator, device=args.device)

    prompts = {id(one): draw(len(one.prompt), CODEBOOKS) for one in batch}
    firsts = {id(one): draw(one.limits.max_frames) for one in batch}

    def complete(some: Sequence[Utterance]) -> None:
        texts, keys = [one.text for one in some], [id(one) for one in some]
        found = nar.generate(texts, [prompts[key] for key in keys], [firsts[key] for key in keys])
        found[-1].sum().item()  # a GPU has to be waited for

    alone, together = one_by_one(complete, batch)
    frames = sum(one.limits.max_frames for one in batch)
    setting = config(args, "float32", batch=len(batch), frames=frames)
    return [
        Metric("decode.nar_batch_over_single", alone / together, "ratio", "", setting),
        Metric("decode.nar_batch", frames / together, "frames/s", "", setting),
        Metric("decode.nar_single", frames / alone, "frames/s", "", setting),
    ]


def length_metrics(args: argparse.Namespace, model: VALLEAR, dtype: str) -> list[Metric]:
    """Cost of a token late in a long utterance over that in a short one."""
    steps = (args.rounds + 1) * args.steps
    text = round(TOKENS_PER_SECOND * PROMPT_SECONDS)
    sides = [
        ARDecoder(model, [utterance(frames, text, steps, args.device)], options())
        for frames in (SHORT, args.long_frames)
    ]
    short, long = alternate(sides, args.steps, args.rounds)
    setting = config(args, dtype, group=1, frames=[SHORT, args.long_frames])
    return [Metric("decode.cost_late_over_early", long / short, "ratio", "<= 1.5", setting)]


def bandwidth_metrics(args: argparse.Namespace, model: VALLEAR, dtype: str) -> list[Metric]:
    """Bytes that a step must move, over what memory could have moved in that time."""
    prompt, text, _ = typical(args, ENCODEC_RATE)
    text //= 2  # the sum is about 320 positions
    steps = (args.rounds + 1) * args.steps
    decoder = ARDecoder(model, [utterance(prompt, text, steps, args.device)], options())
    block = torch.ones(BANDWIDTH_BYTES // 4, device=args.device)

    def read() -> float:
        return block.sum().item()

    read()
    times, speeds = [], []
    for _ in range(args.rounds):
        speeds.append(BANDWIDTH_BYTES / median_seconds(read, repeats=1, warm_up=0))
        times.append(median_seconds(decoder.step, repeats=args.steps, warm_up=0))
    step, speed = statistics.median(times), statistics.median(speeds)
    positions = text + 1 + prompt
    moved = weight_bytes(model) + positions * model.new_cache(1, 1).buffer.nbytes
    setting = config(args, dtype, group=1, positions=positions, megabytes=round(moved / 1e6))
    bar = CPU_BAR if args.device == "cpu" else GPU_BAR
    return [
        Metric("decode.bandwidth_share", moved / speed / step, "ratio", bar, setting),
        Metric("decode.step", 1000 * step, "ms/step", "", setting),
        Metric("decode.bandwidth", speed / 1e9, "GB/s", "", setting),
    ]


def weight_bytes(model: VALLEAR) -> int:
    """Bytes of all weights that every step reads: all but the embedding of the text."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(one.nbytes for one in tensors) - model.text.table.weight.nbytes


def real_time_metrics(args: argparse.Namespace) -> list[Metric]:
    """Computing time of a whole utterance over its duration, and where the time goes."""
    codec = speech_codec(Path(args.conf_dir) / "codec" / "world.yaml")
    dtype = small_weights(args.device)[-1]
    ar = converted(build(args, "ar", group_size=2), dtype, args)
    nar = build(args, "nar")
    prepare_nar(nar, dtype)
    prompt, text, frames = typical(args, codec.frame_rate)
    given = utterance(prompt, text, frames, args.device)
    sound = voice(PROMPT_SECONDS, codec.sample_rate)
    rounds = []
    for _ in range(1 + min(args.rounds, 3)):  # the first one is warm-up
        start = time.perf_counter()
        prompt_codes = torch.from_numpy(codec.encode(sound)).long().to(args.device)
        encoded = time.perf_counter()
        first = decode_ar(ar, [given], options())[0].codes
        drawn = time.perf_counter()
        codes = nar.generate(given.text[None], prompt_codes[None], first[None])[0].cpu()
        filled = time.perf_counter()
        codec.decode(codes.numpy())
        end = time.perf_counter()
        rounds.append((end - start, drawn - encoded, filled - drawn, encoded - start + end - filled))
    total, ar_time, nar_time, codec_time = (
        statistics.median(column) / args.seconds for column in zip(*rounds[1:], strict=True)
    )
    types = f"{dtype} (AR), {bfloat16(args.device).value} (NAR)"
    setting = config(args, types, group=2, seconds=args.seconds, codec="world")
    return [
        Metric("decode.rtf", total, "ratio", "<= 1", setting),
        Metric("decode.rtf_ar", ar_time, "ratio", "", setting),
        Metric("decode.rtf_nar", nar_time, "ratio", "", setting),
        Metric("decode.rtf_codec", codec_time, "ratio", "", setting),
    ]
