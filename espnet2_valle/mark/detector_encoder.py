"""Encoder of the detector: time-delay layers over log-mel frames, and the frames themselves beside them."""

import torch
from espnet2.asr.encoder.abs_encoder import AbsEncoder
from torch import nn
from torch.nn import functional as F

from espnet2_valle.valle.rows import length_mask


class TDNNEncoder(AbsEncoder):
    """Convolutions over time (Snyder et al., 2018, "X-vectors"), behind each other, each adding to the last.

    The output holds the input's frames and their changes, too: pooled over time, their deviations alone tell
    a vocoder from a microphone in most cases.

    Args:
        input_size: bands of a frame.
        width: channels of the layers.
        kernel: frames that a layer sees, odd.
        dilations: of the layers, frames between those that it sees.
        dropout: behind each layer.
    """

    def __init__(
        self,
        input_size: int,
        width: int = 128,
        kernel: int = 3,
        dilations: list[int] | tuple[int, ...] = (1, 2, 3),
        dropout: float = 0.1,
    ):
        super().__init__()
        self.inward = nn.Conv1d(2 * input_size, width, kernel, padding=kernel // 2)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
            for dilation in dilations
        )
        self.dropout = nn.Dropout(dropout)
        self._output_size = 2 * input_size + width

    def output_size(self) -> int:
        """Channels of the output."""
        return self._output_size

    def forward(
        self, xs_pad: torch.Tensor, ilens: torch.Tensor, prev_states: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """(batch, time, input_size) of lengths (batch,) -> (batch, time, output_size), as if alone."""
        inside = length_mask(ilens, xs_pad.shape[1]).unsqueeze(1)
        bands = xs_pad.transpose(1, 2)
        change = F.pad(bands[:, :, 1:] - bands[:, :, :-1], (1, 0))
        frames = torch.cat([bands, change], dim=1) * inside
        hidden = F.relu(self.inward(frames)) * inside
        for layer in self.layers:
            hidden = hidden + self.dropout(F.relu(layer(hidden))) * inside
        return torch.cat([frames, hidden], dim=1).transpose(1, 2), ilens, None
