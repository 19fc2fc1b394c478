"""Speaking rates of languages and styles of a model that is told them: from the training set."""

import argparse

from espnet2_valle.tasks.languages import languages_of
from espnet2_valle.tasks.needed_index import needed_index
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.relative_rates import measured_rates
from espnet2_valle.train.told_style import ToldStyle
from espnet2_valle.valle.styles import BINS

OPTION = "valle_conf: positions_by_part"


def fill_rates(args: argparse.Namespace, index: str | None) -> None:
    """Let `relative_rates` of a training's valle_conf, where it needs some and names none, be the set's.

    ESPnet keeps them in config.yaml, so a trained model knows them.

    Args:
        args: of the training, with its languages and emotions.
        index: folder of the training index, if the training has one.

    Raises:
        InputError: there is no index, which tells where parts begin.
    """
    conf = args.valle_conf
    if not conf.get("positions_by_part"):
        return
    index = needed_index(args, index, OPTION, "the parts", "leave it out")
    if conf.get("relative_rates") is not None:
        return
    style = conf.get("style") or []
    told = ToldStyle(style, conf.get("emotions") or [], conf.get("style_bins", BINS)) if style else None
    rates = measured_rates(TrainingIndex(index), languages_of(args), told)
    args.valle_conf = {**conf, "relative_rates": rates}
