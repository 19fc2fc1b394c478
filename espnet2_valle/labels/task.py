"""ESPnet's classification task with the encoder of the detector and statistics over time.

Frontend, normalisation, loss, model and trainer are ESPnet's, as are its encoders and its linear decoder.
"""

import argparse

import torch
from espnet2.cls.decoder.abs_decoder import AbsDecoder
from espnet2.cls.decoder.linear_decoder import LinearDecoder
from espnet2.cls.espnet_model import ESPnetClassificationModel
from espnet2.tasks.cls import CLSTask, encoder_choices, frontend_choices, normalize_choices, specaug_choices
from espnet2.train.class_choices import ClassChoices
from torch import nn

from espnet2_valle.common.extras import import_extra
from espnet2_valle.mark.sound_task import acoustic_parts, pooled, replaced, with_tdnn

UNKNOWN = "<unk>"


class PooledDecoder(AbsDecoder):
    """Logits of labels, from means and deviations over time (Snyder et al., 2018, "X-vectors", sec. 2.1).

    Args:
        vocab_size: labels.
        encoder_output_size: channels.
        dropout: before the output layer.
    """

    def __init__(self, vocab_size: int, encoder_output_size: int, dropout: float = 0.0):
        super().__init__()
        self.norm = nn.LayerNorm(2 * encoder_output_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * encoder_output_size, vocab_size)

    def forward(self, hs_pad: torch.Tensor, hlens: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) of lengths (batch,) -> (batch, vocab_size)."""
        return self.output(self.dropout(self.norm(pooled(hs_pad, hlens))))

    def score(self, ys: object, state: object, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        """ESPnet's form of one utterance: (time, width) -> (vocab_size,) and no state."""
        return self.forward(x[None], torch.tensor([len(x)], device=x.device))[0], None

    def output_size(self) -> int:
        """Labels."""
        return self.output.out_features


encoders = with_tdnn(encoder_choices)
decoders = ClassChoices(
    name="decoder",
    classes={"linear": LinearDecoder, "pooled": PooledDecoder},
    type_check=AbsDecoder,
    default="pooled",
)


class LabelTask(CLSTask):
    """The task, with `--decoder pooled` and `--encoder tdnn` beside ESPnet's."""

    class_choices_list = replaced(CLSTask.class_choices_list, encoders, decoders)

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetClassificationModel:
        """Build the model that a config describes, with weights as initialised.

        Raises:
            InputError: the extra `emotion` is not installed, which ESPnet's model needs.
        """
        import_extra("torcheval.metrics.functional", "a recogniser of emotions or languages", "emotion")
        if isinstance(args.token_list, str):
            with open(args.token_list, encoding="utf-8") as stream:
                args.token_list = stream.read().splitlines()
        parts = acoustic_parts(args, frontend_choices, specaug_choices, normalize_choices, encoders)
        labels = len(args.token_list) - 1  # without <unk>, which is the last
        decoder = decoders.get_class(args.decoder)(
            labels, encoder_output_size=parts["encoder"].output_size(), **args.decoder_conf
        )
        return ESPnetClassificationModel(
            vocab_size=labels,
            token_list=args.token_list,
            **parts,
            decoder=decoder,
            **args.model_conf,
        )
