"""The diffusion model that ESPnet's trainer sees."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch.nn import functional as F
from typeguard import typechecked

from espnet2_valle.ns2.losses import CodewordLoss, LossWeights, masked_mean
from espnet2_valle.ns2.model import NaturalSpeech2, Predicted
from espnet2_valle.ns2.schedule import FIRST
from espnet2_valle.valle.embeddings import SHAPE_STEP
from espnet2_valle.valle.rows import length_mask, on_device, round_up
from espnet2_valle.valle.utterance_hash import content_numbers


class ESPnetNS2Model(AbsESPnetModel):
    """Training of the diffusion model.

    Args:
        ns2: the model.
        bf16: whether a training multiplies in bfloat16: True, False, or "auto", which the task decides.
        data_weight: of the squared error of the predicted latent.
        score_weight: of that of the score.
        most_score: bound of the score's weight against the former, see `NoiseSchedule.score_weight`.
        ce_weight: of the cross-entropy of the codes.
        duration_weight: of the L1 error of log(1 + frames).
        pitch_weight: of the L1 error of the normalised log F0.

    Attributes:
        compute_dtype: of products; float32 for "auto" until the task says.
        codeword_loss: of the codec's codewords; None where its latents are no sums of them, or outside of
            training.

    Raises:
        ValueError: another value of `bf16`.
    """

    @typechecked
    def __init__(
        self,
        ns2: NaturalSpeech2,
        bf16: bool | str = False,
        data_weight: float | int = 1.0,
        score_weight: float | int = 1.0,
        most_score: float | int = 5.0,
        ce_weight: float | int = 0.1,
        duration_weight: float | int = 1.0,
        pitch_weight: float | int = 1.0,
    ):
        super().__init__()
        if isinstance(bf16, str) and bf16 != "auto":
            raise ValueError(f"bf16 must be True, False or 'auto', not {bf16!r}")
        self.ns2 = ns2
        self.compute_dtype = torch.bfloat16 if bf16 is True else torch.float32
        self.weights = LossWeights(data_weight, score_weight, ce_weight, duration_weight, pitch_weight)
        self.most_score = most_score
        # Not a submodule: its codewords are the codec's, and no part of the trained weights.
        self._codeword_loss: list[CodewordLoss] = []

    @property
    def compiled_part(self) -> torch.nn.Module:
        """Part of it that `--compile` compiles."""
        return self.ns2.wavenet

    def learn_codes(self, loss: CodewordLoss) -> None:
        """Add the cross-entropy of the codes to the losses."""
        self._codeword_loss = [loss]

    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor | np.ndarray,
        latent: torch.Tensor,
        latent_lengths: torch.Tensor | np.ndarray,
        codes: torch.Tensor,
        durations: torch.Tensor,
        pitch: torch.Tensor,
        scored: torch.Tensor,
        prompt: torch.Tensor,
        prompt_lengths: torch.Tensor | np.ndarray,
        **kwargs: object,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """Loss of a batch.

        Args:
            text: (batch, text_time) token ids, edges included; text_lengths: (batch,)
            latent: (batch, time, D) of the codec; latent_lengths: (batch,)
            codes: (batch, time, Q) that the latents are of.
            durations: (batch, text_time) frames of each token.
            pitch: (batch, time) natural log of F0 in Hz, interpolated through unvoiced frames.
            scored: (batch, time) weight of each frame in the losses: 0 in what is the prompt, too.
            prompt: (batch, prompt_time, D) of the codec; prompt_lengths: (batch,)

        Returns:
            loss, stats (loss and its parts), and the number of frames as weight.
        """
        lengths, text_lengths, prompt_lengths = (
            torch.as_tensor(one).cpu() for one in (latent_lengths, text_lengths, prompt_lengths)
        )
        step = SHAPE_STEP if self.training else 1
        text, durations = (cut(one, text_lengths, step) for one in (text, durations))
        latent, codes, pitch, scored = (cut(one, lengths, step) for one in (latent, codes, pitch, scored))
        prompt = cut(prompt, prompt_lengths, step)
        clean = self.ns2.normalise(latent)
        time, noise, hidden, book = self._draw(clean, codes, lengths)
        noisy = self.ns2.schedule.add_noise(clean, time, noise)
        pitch = self.ns2.normalise_pitch(pitch)
        with self._products(latent.device):
            predicted = self.ns2(
                text,
                text_lengths,
                durations,
                pitch,
                noisy,
                time,
                lengths,
                self.ns2.normalise(prompt),
                prompt_lengths,
                hidden,
            )
        inside = length_mask(on_device(lengths, latent.device), latent.shape[1])
        tokens = length_mask(on_device(text_lengths, text.device), text.shape[1])
        scored = scored * inside
        losses = self._losses(predicted, clean, codes, time, durations, pitch, scored, tokens, book)
        loss = self.weights.total(losses)
        stats = {"loss": loss.detach(), **{name: value.detach() for name, value in losses.items()}}
        weight = on_device(torch.tensor([int(lengths.sum())]), loss.device)
        return force_gatherable((loss, stats, weight), loss.device)

    def _losses(
        self,
        predicted: Predicted,
        clean: torch.Tensor,
        codes: torch.Tensor,
        time: torch.Tensor,
        durations: torch.Tensor,
        pitch: torch.Tensor,
        scored: torch.Tensor,
        tokens: torch.Tensor,
        book: int | None,
    ) -> dict[str, torch.Tensor]:
        """Each part of the loss."""
        error = (predicted.clean - clean).square().mean(2)
        by_score = self.ns2.schedule.score_weight(time, self.most_score)[:, None]
        wanted = torch.log1p(durations.float())
        losses = {
            "data": masked_mean(error, scored),
            "score": masked_mean(error * by_score, scored),
            "duration": masked_mean((predicted.log_durations - wanted).abs(), tokens.float()),
            "pitch": masked_mean((predicted.pitch - pitch).abs(), scored),
        }
        if self._codeword_loss:
            losses["ce"] = self._code_loss(predicted.clean, codes, scored, book)
        return losses

    def _code_loss(
        self, clean: torch.Tensor, codes: torch.Tensor, scored: torch.Tensor, book: int | None
    ) -> torch.Tensor:
        """Mean cross-entropy of one codebook, or of all."""
        (loss,) = self._codeword_loss
        if loss.codewords.device != clean.device:
            loss.to(clean.device)
        places = scored.flatten().nonzero().squeeze(1)
        latent = self.ns2.denormalise(clean).flatten(0, 1)[places]
        codes = codes.long().flatten(0, 1)[places]
        books = range(codes.shape[1]) if book is None else [book]
        return torch.stack([loss(latent, codes, one).mean() for one in books]).mean()

    def _draw(
        self, clean: torch.Tensor, codes: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, int | None]:
        """Times and noise of a batch, hidden prompts, and the codebook whose codes count.

        In validation they follow from each utterance alone: its loss is the same each time.
        """
        device = clean.device
        if self.training:
            time = FIRST + (1 - FIRST) * torch.rand(len(clean), device=device)
            hidden = torch.rand(len(clean), device=device) < self.ns2.prompt_dropout
            book = int(torch.randint(codes.shape[2], ()))
            return time, torch.randn_like(clean), hidden, book
        time = torch.empty(len(clean))
        noise = torch.zeros(clean.shape)
        numbers = content_numbers(codes, lengths).tolist()
        for row, (number, length) in enumerate(zip(numbers, lengths.tolist(), strict=True)):
            generator = torch.Generator().manual_seed(number)
            time[row] = FIRST + (1 - FIRST) * torch.rand((), generator=generator)
            noise[row, :length] = torch.randn(length, clean.shape[2], generator=generator)
        return on_device(time, device), on_device(noise, device), None, None

    def _products(self, device: torch.device) -> AbstractContextManager:
        """Within, products are of the type that the training has."""
        if self.compute_dtype == torch.float32:
            return nullcontext()
        return torch.autocast(device.type, self.compute_dtype)

    def collect_feats(self, latent: torch.Tensor, latent_lengths: torch.Tensor, **kwargs: object) -> dict:
        """The latents are features already; nothing to extract."""
        return {"latent": latent, "latent_lengths": latent_lengths}


def cut(padded: torch.Tensor, lengths: torch.Tensor, step: int) -> torch.Tensor:
    """(batch, time, ...) with the time that the longest row needs, rounded up to a multiple of `step`."""
    time = round_up(int(lengths.max()), step)
    padded = padded[:, :time]
    room = time - padded.shape[1]
    return F.pad(padded, (0, 0) * (padded.ndim - 2) + (0, room)) if room else padded
