"""Parts that tasks of labelled sounds share: the detector's, and that of recognisers of labels."""

import argparse
from collections.abc import Iterable
from typing import Any

import torch
from espnet2.asr.encoder.abs_encoder import AbsEncoder
from espnet2.train.class_choices import ClassChoices

from espnet2_valle.mark.detector_encoder import TDNNEncoder
from espnet2_valle.valle.rows import length_mask

LEAST_VARIANCE = 1e-6


def pooled(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Means and deviations (batch, 2 width) over time of frames (batch, time, width) of lengths (batch,)."""
    inside = length_mask(lengths, frames.shape[1]).unsqueeze(2)
    count = lengths.view(-1, 1)
    mean = (frames * inside).sum(1) / count
    variance = ((frames - mean.unsqueeze(1)).square() * inside).sum(1) / count
    return torch.cat([mean, variance.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


def with_tdnn(encoders: ClassChoices) -> ClassChoices:
    """The encoders of a task of ESPnet, and `tdnn`, which is the default."""
    return ClassChoices(
        name=encoders.name,
        classes={**encoders.classes, "tdnn": TDNNEncoder},
        type_check=AbsEncoder,
        default="tdnn",
    )


def replaced(choices: Iterable[ClassChoices], *own: ClassChoices) -> list[ClassChoices]:
    """The choices of a task, with our `own` in the place of those of their names."""
    names = {one.name for one in own}
    return [*(one for one in choices if one.name not in names), *own]


def acoustic_parts(
    args: argparse.Namespace,
    frontends: ClassChoices,
    specaugs: ClassChoices,
    normalizations: ClassChoices,
    encoders: ClassChoices,
) -> dict[str, Any]:
    """Parts before the decoder of a model that a config describes, by ESPnet's names for them."""
    frontend = frontends.get_class(args.frontend)(**args.frontend_conf)
    specaug = specaugs.get_class(args.specaug)
    normalize = normalizations.get_class(args.normalize)
    return {
        "frontend": frontend,
        "specaug": specaug and specaug(**args.specaug_conf),
        "normalize": normalize and normalize(**args.normalize_conf),
        "preencoder": None,
        "encoder": encoders.get_class(args.encoder)(input_size=frontend.output_size(), **args.encoder_conf),
    }
