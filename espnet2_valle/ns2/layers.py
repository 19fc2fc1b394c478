"""Layers of the diffusion model: blocks that see no padding, and attention to a prompt."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.valle.embeddings import sinusoids


class Attention(nn.Module):
    """Multi-head attention of queries to a memory with padding, by torch's own product.

    Args:
        width: channels of the queries and of the output.
        memory_width: channels of the memory.
        heads: of attention; divides `width`.
    """

    def __init__(self, width: int, memory_width: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, memory: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
        """Attend.

        Args:
            x: (batch, time, width) queries.
            memory: (batch, places, memory_width).
            inside: (batch, places) bool, False where the memory is padding; None: nowhere.

        Returns:
            (batch, time, width)
        """
        batch, time, width = x.shape
        query = self.query(x).view(batch, time, self.heads, -1).transpose(1, 2)
        both = self.key_value(memory).view(batch, memory.shape[1], 2, self.heads, -1)
        key, value = both.permute(2, 0, 3, 1, 4)
        mask = None if inside is None else inside[:, None, None]
        attend = attend_plainly if x.device.type == "cpu" else F.scaled_dot_product_attention
        attended = attend(query, key, value, attn_mask=mask)
        return self.out(attended.transpose(1, 2).reshape(batch, time, width))


def attend_plainly(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None
) -> torch.Tensor:
    """`scaled_dot_product_attention` as two products, which a CPU has fast kernels of in any type."""
    scores = torch.matmul(query * query.shape[3] ** -0.5, key.transpose(2, 3))
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    return torch.matmul(scores.softmax(-1).to(value.dtype), value)


class MaskedConv(nn.Conv1d):
    """Convolution over time, (batch, time, channels) -> the same time, as if nothing lay behind a row's end.

    Args:
        inputs, outputs: channels.
        kernel: frames, odd.
        dilation: frames between what it sees.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1):
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} is even: it has no middle")
        super().__init__(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation)

    def forward(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """`inside`: (batch, time, 1), 1 where there is no padding, else 0."""
        return super().forward((x * inside).transpose(1, 2)).transpose(1, 2)


class ConvBlock(nn.Module):
    """Pre-norm self-attention and a feed-forward net of convolutions (FastSpeech: Ren et al., 2019)."""

    def __init__(self, width: int, heads: int, feed_forward: int, kernel: int, dropout: float):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.expand = MaskedConv(width, feed_forward, kernel)
        self.contract = nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) -> the same; `inside`: (batch, time) bool."""
        normed = self.attention_norm(x)
        x = x + self.dropout(self.attention(normed, normed, inside))
        hidden = F.relu(self.expand(self.feed_forward_norm(x), inside.unsqueeze(2).to(x.dtype)))
        return x + self.dropout(self.contract(self.dropout(hidden)))


class Encoder(nn.Module):
    """A stack of `ConvBlock` over vectors with sinusoidal positions: of phones, and of a speech prompt.

    Args:
        layers, width, heads, feed_forward, kernel, dropout: of the blocks.
    """

    def __init__(self, layers: int, width: int, heads: int, feed_forward: int, kernel: int, dropout: float):
        super().__init__()
        blocks = (ConvBlock(width, heads, feed_forward, kernel, dropout) for _ in range(layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) and (batch, time) bool -> (batch, time, width)."""
        x = x + sinusoids(torch.arange(x.shape[1], device=x.device), x.shape[2]).to(x.dtype)
        for block in self.blocks:
            x = block(x, inside)
        return self.norm(x)


class Predictor(nn.Module):
    """Predictor of a number a position: convolutions that look at the prompt every few layers.

    Args:
        layers: of convolution.
        width: channels.
        heads: of attention.
        kernel: of the convolutions.
        attend_every: layers between looks at the prompt.
        dropout: behind each layer.
    """

    def __init__(self, layers: int, width: int, heads: int, kernel: int, attend_every: int, dropout: float):
        super().__init__()
        self.convs = nn.ModuleList(MaskedConv(width, width, kernel) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        looks = -(-layers // attend_every)
        self.attentions = nn.ModuleList(Attention(width, width, heads) for _ in range(looks))
        self.attend_every = attend_every
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(
        self, x: torch.Tensor, inside: torch.Tensor, prompt: torch.Tensor, prompt_inside: torch.Tensor
    ) -> torch.Tensor:
        """(batch, time, width), its (batch, time) bool, and the prompt's -> (batch, time) float32."""
        frames = inside.unsqueeze(2).to(x.dtype)
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            if number % self.attend_every == 0:
                x = x + self.dropout(self.attentions[number // self.attend_every](x, prompt, prompt_inside))
            x = x + self.dropout(F.relu(conv(norm(x), frames)))
        return self.out(self.norm(x)).squeeze(2).float()


class TimeEmbedding(nn.Module):
    """Embedding of diffusion time 0 .. 1 (Grad-TTS: Popov et al., 2021).

    Args:
        width: channels, even.
    """

    SCALE = 1000.0  # of time, so that sinusoids of positions tell it apart

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """(batch,) -> (batch, width)."""
        return self.layers(sinusoids(time * self.SCALE, self.width).to(self.layers[0].weight.dtype))


def init_embedding(table: nn.Embedding) -> None:
    """Let embeddings begin with the length that positions have."""
    nn.init.normal_(table.weight, std=math.sqrt(0.5))
