"""Conditions of style of a model: from its configuration, and emotions from the training set."""

import argparse
import re

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.combine import UNKNOWN_EMOTION
from espnet2_valle.tasks.needed_index import needed_index
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.told_style import EMOTIONS_REMEDY, ToldStyle
from espnet2_valle.valle.styles import EMOTION, StyleConditions

OPTION = "valle_conf: style"
LABEL = re.compile(r"[^\s:+<>/=]+")  # all else has a meaning where emotions are named


def fill_emotions(args: argparse.Namespace, index: str | None) -> None:
    """Let `emotions` of a training's valle_conf, where it needs some and names none, be the training set's.

    In alphabetical order; ESPnet keeps them in config.yaml, so a trained model knows them.

    Args:
        args: of the training.
        index: folder of the training index, if the training has one.

    Raises:
        InputError: there is no index, which tells styles, it tells no emotion, or a label that none can be.
    """
    style = args.valle_conf.get("style") or []
    if not style:
        return
    index = needed_index(args, index, OPTION, "it", "leave style out")
    if EMOTION not in style:
        return
    emotions = args.valle_conf.get("emotions")
    if not emotions:
        emotions = sorted({*TrainingIndex(index).emotions} - {UNKNOWN_EMOTION})
        if not emotions:
            raise InputError(index, f"tells no emotions, and {OPTION} names them", EMOTIONS_REMEDY)
        args.valle_conf = {**args.valle_conf, "emotions": emotions}
    for label in emotions:
        if not LABEL.fullmatch(label):
            raise InputError(
                index, f"emotion '{label}' has a space or one of :+<>/=", "Rename it in utt2emo (stage 1)"
            )


def told_style(conditions: StyleConditions) -> ToldStyle | None:
    """The conditions that a training's utterances are to have; None: they have none."""
    if not conditions.names:
        return None
    return ToldStyle(conditions.names, conditions.emotions, conditions.bins)
