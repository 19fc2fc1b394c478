"""Speed and pitch of what a NaturalSpeech 2 model says, against what was asked for."""

import argparse

import numpy as np

from espnet2_valle.asr.timing import frame_pitch
from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.saying import say
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.ns2.control import SEMITONES

FRAME_RATE = 100.0  # at which F0 is looked at
LENGTH_BAR, PITCH_BAR = 0.05, 0.5  # share of the length asked for; semitones


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--model_tag", required=True, help="packed NaturalSpeech 2 model")
    parser.add_argument("--pairs", required=True, help="of prompts and texts")
    parser.add_argument("--data_dir", required=True, help="their recordings and texts")
    parser.add_argument("--num_pairs", type=int, default=24, help="the first so many")
    parser.add_argument("--speeds", type=float, nargs="+", default=[0.7, 0.85, 1.2, 1.4])
    parser.add_argument("--semitones", type=float, nargs="+", default=[-4.0, -2.0, 2.0, 4.0])


def measure(args: argparse.Namespace) -> list[Metric]:
    """Say each pair plainly, at each speed and in each pitch; compare lengths and median F0."""
    text2speech = Text2Speech.from_pretrained(args.model_tag)
    data = DataDir.load(args.data_dir)
    pairs = read_pairs(args.pairs)[: args.num_pairs]
    plain = say(text2speech, pairs, data, control="")
    about = {"model": args.model_tag, "pairs": len(pairs)}
    metrics = []
    for speed in args.speeds:
        changed = say(text2speech, pairs, data, control=f"speed={speed}")
        ratios = [len(one.wav) * speed / len(other.wav) for one, other in zip(changed, plain, strict=True)]
        error = float(np.mean(np.abs(np.array(ratios) - 1)))
        setting = {**about, "speed": speed}
        metrics.append(Metric("control_length_error", error, "share", f"<= {LENGTH_BAR}", setting))
    for semitones in args.semitones:
        changed = say(text2speech, pairs, data, control=f"pitch={semitones}")
        heard = [semitones_between(other, one) for one, other in zip(changed, plain, strict=True)]
        error = float(np.median(np.abs(np.array(heard) - semitones)))
        setting = {**about, "semitones": semitones}
        metrics.append(Metric("control_pitch_error", error, "semitones", f"<= {PITCH_BAR}", setting))
    return metrics


def semitones_between(low: Speech, high: Speech) -> float:
    """Semitones from the median F0 of one utterance to that of another; NaN where either is unvoiced."""
    return float(SEMITONES * (np.log2(median_f0(high)) - np.log2(median_f0(low))))


def median_f0(speech: Speech) -> float:
    """Median F0 in Hz of the voiced frames; NaN where there are none."""
    wav = speech.wav.numpy()
    found = frame_pitch(wav, speech.fs, FRAME_RATE, int(len(wav) / speech.fs * FRAME_RATE))
    return float(np.median(found[found > 0])) if (found > 0).any() else float("nan")
