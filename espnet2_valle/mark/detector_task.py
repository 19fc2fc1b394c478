"""ESPnet's asvspoof task with the parts that it leaves open: a decoder of one score an utterance.

ESPnet ships the task as an exercise: its linear decoder and margin losses are left to be written. Frontend,
encoder, binary loss, model and trainer are ESPnet's.
"""

import argparse

import torch
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

from espnet2_valle.mark.sound_task import acoustic_parts, pooled, replaced, with_tdnn

BINARY_LOSS = "binary_loss"


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
encoders = with_tdnn(encoder_choices)


class DetectorTask(ASVSpoofTask):
    """The task, with `--decoder pooled`, `--encoder tdnn` beside ESPnet's, and the binary loss."""

    class_choices_list = replaced(ASVSpoofTask.class_choices_list, decoder_choices, encoders)

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetASVSpoofModel:
        """Build the model that a config describes, with weights as initialised."""
        parts = acoustic_parts(args, frontend_choices, specaug_choices, normalize_choices, encoders)
        decoder = decoder_choices.get_class(args.decoder)
        losses = {loss["name"]: loss["conf"] for loss in args.losses}
        return ESPnetASVSpoofModel(
            **parts,
            decoder=decoder(parts["encoder"].output_size(), **args.decoder_conf),
            losses={BINARY_LOSS: ASVSpoofBinaryLoss(**losses[BINARY_LOSS])},
        )
