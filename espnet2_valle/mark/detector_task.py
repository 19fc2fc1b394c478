"""ESPnet's asvspoof task with the parts that it leaves open: a decoder of one score an utterance.

ESPnet ships the task as an exercise: its linear decoder and margin losses are left to be written. Frontend,
encoder, binary loss, model and trainer are ESPnet's.
"""

import argparse

import torch
from espnet2.asr.encoder.abs_encoder import AbsEncoder
from espnet2.asvspoof.decoder.abs_decoder import AbsDecoder
from espnet2.asvspoof.espnet_model import ESPnetASVSpoofModel
from espnet2.asvspoof.loss.binary_loss import ASVSpoofBinaryLoss
from espnet2.tasks.asvspoof import (
    ASVSpoofTask,
    encoder_choices,
    frontend_choices,
    normalize_choices,
    specaug_choices,
)
from espnet2.train.class_choices import ClassChoices
from torch import nn

from espnet2_valle.mark.detector_encoder import TDNNEncoder
from espnet2_valle.valle.rows import length_mask

BINARY_LOSS = "binary_loss"
LEAST_VARIANCE = 1e-6


def pooled(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Means and deviations (batch, 2 width) over time of frames (batch, time, width) of lengths (batch,)."""
    inside = length_mask(lengths, frames.shape[1]).unsqueeze(2)
    count = lengths.view(-1, 1)
    mean = (frames * inside).sum(1) / count
    variance = ((frames - mean.unsqueeze(1)).square() * inside).sum(1) / count
    return torch.cat([mean, variance.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


class PooledDecoder(AbsDecoder):
    """Log odds of synthetic speech, from means and deviations over time (Snyder et al., 2018, sec. 2.1)."""

    def __init__(self, encoder_output_size: int):
        super().__init__()
        self.score = nn.Linear(2 * encoder_output_size, 1)

    def forward(self, input: torch.Tensor, ilens: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) of lengths (batch,) -> (batch, 1)."""
        return self.score(pooled(input, ilens))


decoder_choices = ClassChoices(
    name="decoder", classes={"pooled": PooledDecoder}, type_check=AbsDecoder, default="pooled"
)
encoders = ClassChoices(
    name=encoder_choices.name,
    classes={**encoder_choices.classes, "tdnn": TDNNEncoder},
    type_check=AbsEncoder,
    default="tdnn",
)


class DetectorTask(ASVSpoofTask):
    """The task, with `--decoder pooled`, `--encoder tdnn` beside ESPnet's, and the binary loss."""

    class_choices_list = [
        *(
            choices
            for choices in ASVSpoofTask.class_choices_list
            if choices.name not in (decoder_choices.name, encoders.name)
        ),
        decoder_choices,
        encoders,
    ]

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetASVSpoofModel:
        """Build the model that a config describes, with weights as initialised."""
        frontend = frontend_choices.get_class(args.frontend)(**args.frontend_conf)
        specaug = specaug_choices.get_class(args.specaug)
        normalize = normalize_choices.get_class(args.normalize)
        encoder = encoders.get_class(args.encoder)(input_size=frontend.output_size(), **args.encoder_conf)
        losses = {loss["name"]: loss["conf"] for loss in args.losses}
        return ESPnetASVSpoofModel(
            frontend=frontend,
            specaug=specaug and specaug(**args.specaug_conf),
            normalize=normalize and normalize(**args.normalize_conf),
            encoder=encoder,
            preencoder=None,
            decoder=decoder_choices.get_class(args.decoder)(encoder.output_size(), **args.decoder_conf),
            losses={BINARY_LOSS: ASVSpoofBinaryLoss(**losses[BINARY_LOSS])},
        )
