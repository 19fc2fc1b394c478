"""A first codebook that is learnt: what a frame says together with its neighbours.

A small convolutional network maps the features of a frame and of those around it to a few numbers of a few
levels each (finite scalar quantisation, Mentzer et al., 2023), which are one code, and a second one maps the
codes back to features, with what the voice has of its own at hand. Nearest codewords jump where the spectrum
barely moves, and each tells of its own frame alone; this code is learnt so that the sequence is told best.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.codec.world_config import ContextConfig
from espnet2_valle.common.machine import bfloat16

PREFIX = "context/"  # begins the names of its arrays in codec.npz
WARM_UP = 100  # steps
LAST_RATE = 0.02  # of the learning rate, at the end
GRAD_CLIP = 1.0
REPORTS = 20  # lines in the log
VOICE_NOISE = 0.5  # on the voices of training, which are few and not yet quantised, in parts of their spread
VOICE_LIMIT = 3.0  # spreads from the mean; a voice further off, by another microphone, counts as so far off
SMALLEST_SPREAD = 1e-3
PRIOR_WIDTH, PRIOR_KERNEL, PRIOR_LAYERS = 128, 3, 3  # of the model that says what a code costs
RAMP = 0.3  # of the steps until codes cost what they are to
LEAST_LIKELY = 1e-6


class Block(nn.Module):
    """Residual convolution over time, (batch, width, time) -> the same."""

    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return x + self.out(F.gelu(self.conv(self.norm(x))))


class ContextNetwork(nn.Module):
    """Frames -> one code each, and codes -> frames.

    Args:
        config: its sizes.
        dim: D, features of a frame that it codes.
        voice_dim: V, features of the voice that the decoder is given; may be 0.
    """

    weights: torch.Tensor
    mean: torch.Tensor
    spread: torch.Tensor
    voice_mean: torch.Tensor
    voice_spread: torch.Tensor

    def __init__(self, config: ContextConfig, dim: int, voice_dim: int):
        super().__init__()
        self.config = config
        width, kernel, dims = config.width, config.kernel, len(config.levels)
        self.read = nn.Conv1d(dim, width, kernel, padding=kernel // 2)
        self.encoder = nn.Sequential(*[Block(width, kernel) for _ in range(config.encoder_blocks)])
        self.squeeze = nn.Conv1d(width, dims, 1)
        self.expand = nn.Conv1d(dims, width, kernel, padding=kernel // 2)
        self.voice = nn.Linear(voice_dim, width) if voice_dim else None
        self.decoder = nn.Sequential(*[Block(width, kernel) for _ in range(config.decoder_blocks)])
        self.write = nn.Conv1d(width, dim, 1)
        self.register_buffer("weights", torch.ones(dim))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("spread", torch.ones(dim))
        self.register_buffer("voice_mean", torch.zeros(voice_dim))
        self.register_buffer("voice_spread", torch.ones(voice_dim))

    def place(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, D, time) -> places (batch, dims, time), 0 .. level - 1 of each dimension, not rounded."""
        frames = (frames - self.mean[:, None]) / self.spread[:, None]
        squeezed = self.squeeze(self.encoder(self.read(frames))).float()
        return torch.sigmoid(squeezed) * (self._levels(squeezed) - 1)

    def restore(self, grid: torch.Tensor, voice: torch.Tensor) -> torch.Tensor:
        """Whole numbers (batch, dims, time) and voices (batch, V) -> frames (batch, D, time)."""
        hidden = self.expand(2 * grid / (self._levels(grid) - 1) - 1)
        if self.voice is not None:
            voice = ((voice - self.voice_mean) / self.voice_spread).clamp(-VOICE_LIMIT, VOICE_LIMIT)
            hidden = hidden + self.voice(voice)[:, :, None]
        return self.write(self.decoder(hidden)).float() * self.spread[:, None] + self.mean[:, None]

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Codes (T,) int64 of `frames` (T, D)."""
        grid = self.place(torch.from_numpy(frames.astype(np.float32)).T[None])[0].round().long()
        return np.ravel_multi_index(tuple(grid.numpy()), self.config.levels)

    @torch.no_grad()
    def decode(self, codes: np.ndarray, voice: np.ndarray) -> np.ndarray:
        """Frames (T, D) float32 of `codes` (T,) in the voice (V,)."""
        grid = np.stack(np.unravel_index(codes, self.config.levels)).astype(np.float32)
        given = torch.from_numpy(voice.astype(np.float32))[None]
        return np.ascontiguousarray(self.restore(torch.from_numpy(grid)[None], given)[0].T.numpy())

    def codewords(self) -> np.ndarray:
        """Place of each code on the grid, (size, dims) float32 from -1 to 1."""
        grid = np.stack(np.unravel_index(np.arange(self.config.size), self.config.levels), axis=1)
        return (2 * grid / (np.array(self.config.levels) - 1) - 1).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Its weights by name, for codec.npz."""
        return {PREFIX + name: value.numpy() for name, value in self.state_dict().items()}

    def take(self, arrays: Mapping[str, np.ndarray]) -> "ContextNetwork":
        """Put what `arrays` gave into place, and be ready to work.

        Raises:
            KeyError, RuntimeError: weights are missing, or of another size.
        """
        self.load_state_dict({name: torch.from_numpy(arrays[PREFIX + name]) for name in self.state_dict()})
        return self.eval()

    def _levels(self, like: torch.Tensor) -> torch.Tensor:
        return torch.tensor(self.config.levels, dtype=torch.float32, device=like.device)[:, None]


def rounded(exact: torch.Tensor) -> torch.Tensor:
    """Whole numbers, with a gradient as if nothing was rounded."""
    return exact + (exact.round() - exact).detach()


class Prior(nn.Module):
    """Model of a code by the codes before it, which says what the code costs to predict.

    An autoregressive model has to predict the codes. What a frame has by chance would tell a little of its
    sound and cost the model much, so that training weighs one against the other.

    Args:
        levels: of each dimension of a code.
    """

    def __init__(self, levels: Sequence[int]):
        super().__init__()
        self.levels = tuple(levels)
        self.read = nn.Conv1d(len(levels), PRIOR_WIDTH, PRIOR_KERNEL)
        self.norms = nn.ModuleList([nn.BatchNorm1d(PRIOR_WIDTH) for _ in range(PRIOR_LAYERS)])
        self.convs = nn.ModuleList(
            [nn.Conv1d(PRIOR_WIDTH, PRIOR_WIDTH, PRIOR_KERNEL) for _ in range(PRIOR_LAYERS)]
        )
        self.write = nn.Conv1d(PRIOR_WIDTH, sum(levels), 1)

    def forward(self, exact: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        """Cost (batch, time) in nats of the codes `grid` (batch, dims, time), those before each given.

        Its gradient is that of a line between the probabilities of the two levels around `exact`, which
        `grid` is rounded from.
        """
        scale = torch.tensor(self.levels, dtype=grid.dtype, device=grid.device)[:, None] - 1
        past = F.pad(2 * grid / scale - 1, (PRIOR_KERNEL, 0))[:, :, :-1]
        hidden = self.read(past)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            hidden = hidden + conv(F.pad(F.gelu(norm(hidden)), (PRIOR_KERNEL - 1, 0)))
        cost = exact.new_zeros(exact.shape[0], exact.shape[2])
        for dim, logits in enumerate(self.write(hidden).float().split(self.levels, dim=1)):
            shares = logits.softmax(1)
            below = exact[:, dim].detach().floor().clamp(max=self.levels[dim] - 2).long()
            line = grid[:, dim] - below
            low, high = (shares.gather(1, (below + one)[:, None])[:, 0] for one in (0, 1))
            cost = cost - ((1 - line) * low + line * high).clamp(min=LEAST_LIKELY).log()
        return cost


def train_context(
    config: ContextConfig,
    frames: Sequence[np.ndarray],
    voices: Sequence[np.ndarray],
    weights: np.ndarray,
    speech: Sequence[np.ndarray],
    seed: int,
) -> ContextNetwork:
    """Train the network on utterances.

    Args:
        config: sizes and training.
        frames: (T, D) of each utterance.
        voices: (V,) of each.
        weights: (D,) of the features in the squared error.
        speech: (T,) weight of each frame in it.
        seed: of everything drawn.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ContextNetwork(config, frames[0].shape[1], len(voices[0]))
        network.weights.copy_(torch.from_numpy(weights))
        everything = torch.from_numpy(np.concatenate(frames).astype(np.float32))
        network.mean.copy_(everything.mean(0))
        network.spread.copy_(everything.std(0, unbiased=False).clamp(min=SMALLEST_SPREAD))
        all_voices = torch.from_numpy(np.stack(voices).astype(np.float32))
        network.voice_mean.copy_(all_voices.mean(0))
        network.voice_spread.copy_(all_voices.std(0, unbiased=False).clamp(min=SMALLEST_SPREAD))
        _train(network.train(), _Segments(frames, voices, speech, config, seed))
    return network.eval()


class _Segments:
    """Batches of stretches of utterances, long ones drawn more often."""

    def __init__(
        self,
        frames: Sequence[np.ndarray],
        voices: Sequence[np.ndarray],
        speech: Sequence[np.ndarray],
        config: ContextConfig,
        seed: int,
    ):
        self.frames, self.voices, self.speech, self.config = frames, voices, speech, config
        self.rng = np.random.default_rng(seed)
        lengths = np.array([len(one) for one in frames], dtype=np.float64)
        self.shares = lengths / lengths.sum()

    def draw(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Frames (batch, D, segment), voices (batch, V), and weights of the frames (batch, segment)."""
        length = self.config.segment
        drawn, weights, voices = [], [], []
        for place in self.rng.choice(len(self.frames), self.config.batch, p=self.shares):
            first = int(self.rng.integers(0, max(1, len(self.frames[place]) - length + 1)))
            part = self.frames[place][first : first + length]
            room = (0, length - len(part))
            drawn.append(np.pad(part, (room, (0, 0))))
            weights.append(np.pad(self.speech[place][first : first + length], room))
            voices.append(self.voices[place])
        stacked = (np.stack(one).astype(np.float32) for one in (drawn, voices, weights))
        frames, voice, weight = map(torch.from_numpy, stacked)
        return frames.transpose(1, 2), voice, weight


def _train(network: ContextNetwork, segments: _Segments) -> None:
    config = network.config
    prior = Prior(config.levels)
    parameters = [*network.parameters(), *prior.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, betas=(0.9, 0.98))

    def schedule(step: int) -> float:
        return min(1.0, (step + 1) / WARM_UP) * max(LAST_RATE, 1 - step / config.steps)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    fast = bfloat16().value == "bfloat16"
    for step in range(config.steps):
        frames, voices, weights = segments.draw()
        voices = voices + VOICE_NOISE * network.voice_spread * torch.randn_like(voices)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            exact = network.place(frames)
            grid = rounded(exact)
            restored = network.restore(grid, voices)
            cost = prior(exact, grid)
        error = ((restored - frames) * network.weights[:, None]).square().sum(1)
        total = weights.sum().clamp(min=1.0)
        error, cost = (error * weights).sum() / total, (cost * weights).sum() / total
        ramp = min(1.0, step / (RAMP * config.steps))
        loss = error + ramp * config.rate_weight * cost
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, GRAD_CLIP)
        optimizer.step()
        scheduler.step()
        if (step + 1) % max(1, config.steps // REPORTS) == 0:
            told = (step + 1, config.steps, error.item(), cost.item())
            logging.info("first codebook: %d of %d steps, error %.1f, %.2f nats a code", *told)
