"""NaturalSpeech 2 (Shen et al., 2023, arXiv:2304.09116): latents by diffusion, with durations and pitch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.ns2.layers import Encoder, MaskedConv, Predictor, init_embedding
from espnet2_valle.ns2.schedule import NoiseSchedule
from espnet2_valle.ns2.wavenet import WaveNet
from espnet2_valle.valle.rows import length_mask, on_device

USUAL_LOG_F0, USUAL_SPREAD = 5.1, 0.4  # natural log of F0 in Hz, of men and women
PITCH_KERNEL = 9  # frames of the layer that reads pitch


class Conditions(NamedTuple):
    """Encoded texts and prompts of a batch, before durations are known.

    Attributes:
        text: (batch, text_time, width) of the phone encoder; text_inside: (batch, text_time) bool.
        prompt: (batch, prompt_time, width) of the prompt encoder; prompt_inside: its mask.
        summary: (batch, queries, width) of the prompt.
    """

    text: torch.Tensor
    text_inside: torch.Tensor
    prompt: torch.Tensor
    prompt_inside: torch.Tensor
    summary: torch.Tensor


@dataclass(frozen=True)
class Predicted:
    """Predictions of a batch in training.

    Attributes:
        clean: (batch, time, D) of the normalised latent.
        log_durations: (batch, text_time) of log(1 + frames).
        pitch: (batch, time) normalised.
    """

    clean: torch.Tensor
    log_durations: torch.Tensor
    pitch: torch.Tensor


class NaturalSpeech2(nn.Module):
    """The model.

    Statistics by which latents and pitch are normalised, and the Gaussians by which a recording is aligned
    with its text, are buffers: a trained model has all that it needs.

    Args:
        vocab_size: token ids 0 .. vocab_size - 1.
        latent_dim: D of the codec's latent.
        width, heads: of encoders and predictors.
        encoder_layers, encoder_feed_forward, encoder_kernel: of the phone encoder.
        prompt_layers: of the prompt encoder, otherwise like it.
        predictor_layers, predictor_kernel, predictor_attend_every: of both predictors.
        wavenet_layers, wavenet_width, wavenet_kernel, wavenet_dilations: of the denoiser.
        wavenet_attend_every: layers between those that attend to the prompt.
        queries: learned, that summarise the prompt.
        dropout: of encoders and denoiser.
        predictor_dropout: of the predictors.
        prompt_dropout: of the prompts hidden in training, for guidance.
        beta_0, beta_1: of the noise.

    Raises:
        ValueError: numbers that do not go together.
    """

    latent_mean: torch.Tensor
    latent_std: torch.Tensor
    pitch_mean: torch.Tensor
    pitch_std: torch.Tensor
    token_mean: torch.Tensor
    token_variance: torch.Tensor

    def __init__(
        self,
        vocab_size: int,
        latent_dim: int,
        width: int = 512,
        heads: int = 8,
        encoder_layers: int = 6,
        encoder_feed_forward: int = 2048,
        encoder_kernel: int = 9,
        prompt_layers: int = 6,
        predictor_layers: int = 30,
        predictor_kernel: int = 3,
        predictor_attend_every: int = 3,
        wavenet_layers: int = 40,
        wavenet_width: int = 512,
        wavenet_kernel: int = 3,
        wavenet_dilations: Sequence[int] = (2,),
        wavenet_attend_every: int = 3,
        queries: int = 32,
        dropout: float = 0.2,
        predictor_dropout: float = 0.5,
        prompt_dropout: float = 0.1,
        beta_0: float = 0.05,
        beta_1: float = 20.0,
    ):
        super().__init__()
        self.latent_dim = latent_dim
        self.prompt_dropout = prompt_dropout
        self.schedule = NoiseSchedule(beta_0, beta_1)
        self.embedding = nn.Embedding(vocab_size, width)
        init_embedding(self.embedding)
        shape = (width, heads, encoder_feed_forward, encoder_kernel, dropout)
        self.text_encoder = Encoder(encoder_layers, *shape)
        self.prompt_in = nn.Linear(latent_dim, width)
        self.prompt_encoder = Encoder(prompt_layers, *shape)
        self.no_prompt = nn.Parameter(torch.zeros(width))
        predictor = (
            predictor_layers,
            width,
            heads,
            predictor_kernel,
            predictor_attend_every,
            predictor_dropout,
        )
        self.duration_predictor = Predictor(*predictor)
        self.pitch_predictor = Predictor(*predictor)
        self.pitch_in = MaskedConv(1, width, PITCH_KERNEL)
        self.wavenet = WaveNet(
            latent_dim,
            wavenet_layers,
            wavenet_width,
            wavenet_kernel,
            list(wavenet_dilations),
            width,
            heads,
            wavenet_attend_every,
            queries,
            dropout,
        )
        self.register_buffer("latent_mean", torch.zeros(latent_dim))
        self.register_buffer("latent_std", torch.ones(latent_dim))
        self.register_buffer("pitch_mean", torch.tensor(USUAL_LOG_F0))
        self.register_buffer("pitch_std", torch.tensor(USUAL_SPREAD))
        self.register_buffer("token_mean", torch.zeros(vocab_size, latent_dim))
        self.register_buffer("token_variance", torch.ones(vocab_size, latent_dim))

    @property
    def device(self) -> torch.device:
        """Device of its weights."""
        return self.latent_mean.device

    def normalise(self, latent: torch.Tensor) -> torch.Tensor:
        """(..., D) of the codec -> with mean 0 and variance 1 in each dimension."""
        return (latent - self.latent_mean) / self.latent_std

    def denormalise(self, latent: torch.Tensor) -> torch.Tensor:
        """The inverse of `normalise`."""
        return latent * self.latent_std + self.latent_mean

    def normalise_pitch(self, log_f0: torch.Tensor) -> torch.Tensor:
        """Natural log of F0 in Hz -> mean 0 and variance 1."""
        return (log_f0 - self.pitch_mean) / self.pitch_std

    def encode(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        prompt: torch.Tensor,
        prompt_lengths: torch.Tensor,
        hidden: torch.Tensor | None = None,
    ) -> Conditions:
        """Encode texts and prompts.

        Args:
            text: (batch, text_time) token ids, edges included; text_lengths: (batch,)
            prompt: (batch, prompt_time, D) normalised latents of the voice; prompt_lengths: (batch,)
            hidden: (batch,) bool, prompts that are hidden; None: none.
        """
        text_inside = length_mask(on_device(text_lengths, text.device), text.shape[1])
        prompt_inside = length_mask(on_device(prompt_lengths, prompt.device), prompt.shape[1])
        encoded = self.text_encoder(self.embedding(text), text_inside)
        voice = self.prompt_encoder(self.prompt_in(prompt), prompt_inside)
        if hidden is not None:
            voice = torch.where(hidden[:, None, None], self.no_prompt.to(voice.dtype), voice)
        summary = self.wavenet.summary(voice, prompt_inside)
        return Conditions(encoded, text_inside, voice, prompt_inside, summary)

    def predict_durations(self, given: Conditions) -> torch.Tensor:
        """log(1 + frames) of each token, (batch, text_time)."""
        return self.duration_predictor(given.text, given.text_inside, given.prompt, given.prompt_inside)

    def predict_pitch(self, given: Conditions, expanded: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Normalised pitch of each frame, (batch, time); see `expand`."""
        return self.pitch_predictor(expanded, inside, given.prompt, given.prompt_inside)

    def condition(self, expanded: torch.Tensor, pitch: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Condition (batch, time, width) of frames: what is said, and how high, (batch, time) normalised."""
        frames = inside.unsqueeze(2).to(expanded.dtype)
        return expanded + self.pitch_in(pitch.unsqueeze(2).to(expanded.dtype), frames)

    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        durations: torch.Tensor,
        pitch: torch.Tensor,
        noisy: torch.Tensor,
        time: torch.Tensor,
        lengths: torch.Tensor,
        prompt: torch.Tensor,
        prompt_lengths: torch.Tensor,
        hidden: torch.Tensor | None = None,
    ) -> Predicted:
        """Predict all that is learnt of a batch, with true durations and pitch as conditions.

        Args:
            text, text_lengths, prompt, prompt_lengths, hidden: see `encode`.
            durations: (batch, text_time) frames of each token.
            pitch: (batch, time) normalised.
            noisy: (batch, time, D) normalised latents at the times `time` (batch,).
            lengths: (batch,) frames.
        """
        given = self.encode(text, text_lengths, prompt, prompt_lengths, hidden)
        expanded = expand(given.text, durations, noisy.shape[1])
        inside = length_mask(on_device(lengths, noisy.device), noisy.shape[1])
        condition = self.condition(expanded, pitch, inside)
        return Predicted(
            self.wavenet(noisy, time, condition, given.summary, inside),
            self.predict_durations(given),
            self.predict_pitch(given, expanded, inside),
        )


def expand(text: torch.Tensor, durations: torch.Tensor, time: int) -> torch.Tensor:
    """Repeat each token for its frames (length regulator: FastSpeech).

    Args:
        text: (batch, text_time, width).
        durations: (batch, text_time) frames, 0 for padding.
        time: frames of the longest row, or more.

    Returns:
        (batch, time, width), zeros behind each row's frames.
    """
    ends = durations.long().cumsum(1)
    frames = torch.arange(time, device=text.device).expand(len(text), -1).contiguous()
    owner = torch.searchsorted(ends, frames, right=True)
    padded = F.pad(text, (0, 0, 0, 1))
    return padded.gather(1, owner.unsqueeze(2).expand(-1, -1, text.shape[2]))
