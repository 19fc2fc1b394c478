"""Speed of a NaturalSpeech 2 model of random weights, which have no say in it, by steps of the solver."""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch

from espnet2_valle.bench.metric import Metric, median_seconds
from espnet2_valle.bench.speech import speech_codec, voice
from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.common.conf import find
from espnet2_valle.generate.diffusion_options import DTYPES
from espnet2_valle.ns2.generation import SolverOptions, Wanted, generate
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.tasks.ns2 import latent_dim
from espnet2_valle.tasks.planned import planned_ns2

VOCABULARY, TOKENS_PER_SECOND = 80, 15  # phones
BAR = "<= 1.0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--config", default=str(find("train_ns2_paper.yaml")), help="of the model")
    parser.add_argument("--codec_config", default=str(find("codec/world.yaml")), help="of the codec")
    parser.add_argument("--diffusion_steps", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--solver", default="ddim")
    parser.add_argument("--dtype", choices=list(DTYPES), default="float32", help="of products")
    parser.add_argument("--seconds", type=float, default=10.0, help="of speech")
    parser.add_argument("--prompt_seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    parser.add_argument("--num_threads", type=int, default=torch.get_num_threads())


def measure(args: argparse.Namespace) -> list[Metric]:
    """Time from token ids to sound, over its seconds, for each number of steps."""
    torch.set_num_threads(args.num_threads)
    codec = speech_codec(Path(args.codec_config))
    torch.manual_seed(0)
    dtype = DTYPES[args.dtype]
    model = planned_ns2(args.config, VOCABULARY, latent_dim(codec)).eval()
    wanted = something(codec, args.seconds, args.prompt_seconds)
    about = {
        "config": Path(args.config).stem,
        "parameters": sum(each.numel() for each in model.parameters()),
        "dtype": args.dtype,
        "threads": args.num_threads,
        "seconds": args.seconds,
        "solver": args.solver,
    }
    metrics = []
    for steps in args.diffusion_steps:
        saying = partial(say, model, codec, wanted, SolverOptions(steps, args.solver, dtype=dtype))
        factor = median_seconds(saying, args.rounds) / args.seconds
        metrics.append(Metric("diffusion_real_time_factor", factor, "s/s", BAR, {**about, "steps": steps}))
    return metrics


def something(codec: AbsCodec, seconds: float, prompt_seconds: float) -> Wanted:
    """A text of phones that last alike, and a hum to say it like."""
    count = round(seconds * TOKENS_PER_SECOND)
    ends = np.linspace(0, round(seconds * codec.spec.frame_rate), count + 1).round().astype(np.int64)
    plain, even = np.zeros(count), np.ones(count)
    return Wanted(
        ids=np.random.default_rng(0).integers(VOCABULARY, size=count),
        least=np.ones(count, dtype=np.int64),
        prompt=codec.latent(codec.encode(voice(prompt_seconds, codec.sample_rate))),
        seed=0,
        speed=even,
        pitch=plain,
        pitch_range=even,
        durations=np.diff(ends).astype(float),
    )


def say(model: NaturalSpeech2, codec: AbsCodec, wanted: Wanted, options: SolverOptions) -> np.ndarray:
    """Samples (S,) of what is wanted."""
    (made,) = generate(model, [wanted], options)
    return codec.decode_latent(made.latent)
