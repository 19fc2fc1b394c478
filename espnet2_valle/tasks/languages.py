"""Languages of a model that is told them: from its configuration, or from the training set."""

import argparse

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.combine import UNKNOWN_LANGUAGE
from espnet2_valle.tasks.needed_index import needed_index
from espnet2_valle.text.multilingual import normal_code
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.valle.languages import NONE

OPTION = "valle_conf: language_id"


def fill_languages(args: argparse.Namespace, index: str | None) -> None:
    """Let `languages` of a training's valle_conf, where it needs some and names none, be the training set's.

    In alphabetical order; ESPnet keeps them in config.yaml, so a trained model knows them.

    Args:
        args: of the training.
        index: folder of the training index, if the training has one.

    Raises:
        InputError: there is no index, which tells languages, or it has an utterance of unknown language.
    """
    if args.valle_conf.get("language_id", NONE) == NONE:
        return
    index = needed_index(args, index, OPTION, "them", "choose language_id: none")
    if args.valle_conf.get("languages"):
        return
    found = {normal_code(name) for name in TrainingIndex(index).languages}
    if UNKNOWN_LANGUAGE in found:
        raise InputError(
            index,
            f"has utterances whose language is not known, and {OPTION} is {args.valle_conf['language_id']}",
            "Write utt2lang into the data directory (stage 1) and run stages 2 to 4 again",
        )
    args.valle_conf = {**args.valle_conf, "languages": sorted(found)}


def languages_of(args: argparse.Namespace) -> list[str] | None:
    """Languages whose numbers a training's utterances are to have; None: they have none."""
    return None if args.valle_conf.get("language_id", NONE) == NONE else args.valle_conf["languages"]
