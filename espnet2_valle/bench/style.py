"""Rate, pitch, energy and emotion of what a model says, against what was asked for."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.saying import say
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair, read_pairs
from espnet2_valle.data.styles import measure as measure_style
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.labels.kinds import EMOTION
from espnet2_valle.labels.recognizer import open_recognizer
from espnet2_valle.valle.styles import ATTRIBUTES

CORRELATION_BAR, RECOGNISED_BAR = 0.9, 0.8
NEUTRAL = "neutral"
DIGITS = 9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark."""
    parser.add_argument("--model_tag", required=True, help="packed model that is told styles")
    parser.add_argument("--pairs", required=True, help="of prompts and texts")
    parser.add_argument("--data_dir", required=True, help="their recordings, texts and emotions")
    parser.add_argument("--num_pairs", type=int, default=24, help="the first so many")
    parser.add_argument("--emotion_recognizer", help="folder of a recogniser, for the strength of emotions")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.5, 1.0, 1.5, 2.0, 3.0])


def measure(args: argparse.Namespace) -> list[Metric]:
    """Say each pair at each value of each attribute, and its emotion with each strength; compare."""
    text2speech = Text2Speech.from_pretrained(args.model_tag)
    data = DataDir.load(args.data_dir)
    pairs = read_pairs(args.pairs)[: args.num_pairs]
    about = {"model": args.model_tag, "pairs": len(pairs)}
    sizes = text2speech.style_conditions.sizes
    if not sizes:
        raise InputError(args.model_tag, "is told no style", "Give a model with valle_conf: style")
    metrics = []
    for place, name in enumerate(ATTRIBUTES):
        if name in sizes:
            levels = range(1, sizes[name] + 1)
            found = np.array(
                [heard(text2speech, pairs, data, {name: level})[:, place] for level in levels]
            )  # (levels, pairs)
            value = correlation(found, levels)
            metrics.append(Metric(f"style_{name}", value, "rank correlation", f">= {CORRELATION_BAR}", about))
    if args.emotion_recognizer:
        metrics += strength_metrics(args, text2speech, pairs, data, about)
    return metrics


def correlation(found: np.ndarray, levels: Sequence[float]) -> float:
    """Spearman's rank correlation of what was asked and what was heard.

    Args:
        found: (levels, pairs), of which each pair is compared with itself; NaN where nothing was measured.
        levels: asked for.
    """
    differences = found - np.nanmean(found, axis=0)
    asked = np.repeat(np.array(levels, dtype=float)[:, None], found.shape[1], axis=1)
    known = ~np.isnan(differences)
    return rank_correlation(asked[known], differences[known])


def rank_correlation(asked: Sequence[float] | np.ndarray, found: Sequence[float] | np.ndarray) -> float:
    """Spearman's rank correlation, without the rounding that leaves what is monotone just below 1."""
    return round(float(spearmanr(asked, found).statistic), DIGITS)


def strength_metrics(
    args: argparse.Namespace,
    text2speech: Text2Speech,
    pairs: Sequence[Pair],
    data: DataDir,
    about: Mapping[str, Any],
) -> list[Metric]:
    """Count how often the emotion of each target is recognised, and how likely it is, by strength."""
    recognizer = open_recognizer(args.emotion_recognizer, EMOTION)
    moved = [pair for pair in pairs if data.emotions.get(pair.target_utt, NEUTRAL) != NEUTRAL]
    if not moved:
        raise InputError(args.data_dir, "tells no emotion but neutral of the targets", "Give more pairs")
    metrics, shares = [], []
    for strength in args.strengths:
        likely = []
        for pair in moved:
            emotion = data.emotions[pair.target_utt]
            wishes = {"emotion": emotion, "emotion_strength": strength}
            (speech,) = say(text2speech, [pair], data, style=wishes)
            posteriors = recognizer.posteriors(speech.wav.numpy(), speech.fs) if len(speech.wav) else {}
            right = bool(posteriors) and max(posteriors, key=lambda one: posteriors[one]) == emotion
            likely.append((posteriors.get(emotion, 0.0), right))
        shares.append(float(np.mean([share for share, _ in likely])))
        recognised = float(np.mean([right for _, right in likely]))
        setting = {**about, "pairs": len(moved), "strength": strength, "posterior": round(shares[-1], 3)}
        metrics.append(Metric("emotion_recognised", recognised, "share", f">= {RECOGNISED_BAR}", setting))
    value = rank_correlation(args.strengths, shares)
    metrics.append(Metric("emotion_strength", value, "rank correlation", ">= 1", dict(about)))
    return metrics


def heard(
    text2speech: Text2Speech, pairs: Sequence[Pair], data: DataDir, wishes: Mapping[str, Any]
) -> np.ndarray:
    """Measures (pairs, attributes) of the speech of each pair with the same wishes."""
    said = say(text2speech, pairs, data, style=wishes)
    counts = [len(text2speech.tokenizer.encode(data.texts[pair.target_utt])) for pair in pairs]
    nothing = np.full(len(ATTRIBUTES), np.nan)
    return np.array(
        [
            measure_style(one.wav.numpy(), one.fs, count) if len(one.wav) else nothing
            for one, count in zip(said, counts, strict=True)
        ]
    )
