"""Texts and prompts -> latents: durations, then pitch, then the probability-flow ODE from noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from espnet2_valle.ns2.control import scaled_durations, shifted_pitch, stretched
from espnet2_valle.ns2.model import Conditions, NaturalSpeech2, expand
from espnet2_valle.valle.rows import length_mask, on_device


@dataclass(frozen=True)
class SolverOptions:
    """Options of the way from noise to a latent.

    Attributes:
        steps: of the solver.
        solver: one of `schedule.SOLVERS`.
        temperature: the noise to begin with has the variance 1 / temperature (Grad-TTS).
        guidance: 1 takes the prediction with the prompt; above it, it is moved away from that without one
            (classifier-free guidance: Ho and Salimans, 2022).
        dtype: of the denoiser's products.
    """

    steps: int = 150
    solver: str = "euler"
    temperature: float = 1.2
    guidance: float = 1.0
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True)
class Wanted:
    """One text to say.

    Attributes:
        ids: (S,) int64 token ids, edges included.
        least: (S,) frames that each token needs.
        prompt: (P, D) latent of the voice, the codec's.
        seed: of its noise.
        speed, pitch, pitch_range: (S,) wishes of each token, see `Control`.
        durations: (S,) frames, in place of those predicted; None: predicted.
        contour: (N,) F0 in Hz, in place of the one predicted; None: predicted.
    """

    ids: np.ndarray
    least: np.ndarray
    prompt: np.ndarray
    seed: int
    speed: np.ndarray
    pitch: np.ndarray
    pitch_range: np.ndarray
    durations: np.ndarray | None = None
    contour: np.ndarray | None = None


@dataclass(frozen=True)
class Generated:
    """Result of one text.

    Attributes:
        latent: (T, D) float32, the codec's.
        durations: (S,) int64 frames of each token.
        log_f0: (T,) natural log of the F0 in Hz that was asked for.
    """

    latent: np.ndarray
    durations: np.ndarray
    log_f0: np.ndarray


@torch.inference_mode()
def generate(model: NaturalSpeech2, wanted: Sequence[Wanted], options: SolverOptions) -> list[Generated]:
    """Say several texts at once; each comes out as it would alone, up to rounding.

    Args:
        model: in evaluation mode.
        wanted: what to say.
        options: of the solver.

    Returns:
        one for each; without a frame where no token has any.

    Raises:
        InputError: a contour that is nowhere voiced.
    """
    device = model.device
    text, text_lengths = pad([torch.from_numpy(one.ids) for one in wanted])
    prompts = [model.normalise(torch.from_numpy(one.prompt).to(device)) for one in wanted]
    prompt, prompt_lengths = pad(prompts)
    given = model.encode(text.to(device), text_lengths, prompt, prompt_lengths)
    frames = model.predict_durations(given).expm1().clamp(min=0).double().cpu().numpy()
    durations = [_durations(one, row[: len(one.ids)]) for one, row in zip(wanted, frames, strict=True)]
    lengths = torch.tensor([int(one.sum()) for one in durations])
    if not lengths.max():
        empty = np.zeros((0, model.latent_dim), np.float32)
        return [Generated(empty, one, np.zeros(0)) for one in durations]
    padded_durations, _ = pad([torch.from_numpy(one) for one in durations])
    expanded = expand(given.text, padded_durations.to(device), int(lengths.max()))
    inside = length_mask(on_device(lengths, device), int(lengths.max()))
    predicted = model.predict_pitch(given, expanded, inside) * model.pitch_std + model.pitch_mean
    log_f0 = [
        _pitch(one, frames, row[: frames.sum()])
        for one, frames, row in zip(wanted, durations, predicted.double().cpu().numpy(), strict=True)
    ]
    pitch, _ = pad([torch.from_numpy(one.astype(np.float32)) for one in log_f0])
    pitch = model.normalise_pitch(pitch.to(device))
    condition = model.condition(expanded, pitch, inside)
    noise = pad([_noise(one.seed, int(length), model.latent_dim) for one, length in zip(wanted, lengths)])[0]
    latent = noise.to(device) * options.temperature**-0.5
    if options.guidance != 1.0:
        hidden = torch.ones(len(wanted), dtype=torch.bool, device=device)
        without = model.encode(text.to(device), text_lengths, prompt, prompt_lengths, hidden)
    else:
        without = None
    clean = solve(model, latent, condition, inside, given, without, options)
    latents = model.denormalise(clean).cpu().numpy()
    return [
        Generated(row[: int(length)], frames, pitch_of)
        for row, length, frames, pitch_of in zip(latents, lengths, durations, log_f0, strict=True)
    ]


def solve(
    model: NaturalSpeech2,
    latent: torch.Tensor,
    condition: torch.Tensor,
    inside: torch.Tensor,
    given: Conditions,
    without: Conditions | None,
    options: SolverOptions,
) -> torch.Tensor:
    """Follow the probability-flow ODE from noise (batch, time, D) to normalised latents.

    The last step takes the prediction itself: what noise is left at the end of the schedule is none of it.
    """
    times = model.schedule.times(options.steps)
    cast = torch.autocast(latent.device.type, options.dtype, enabled=options.dtype != torch.float32)
    for now, then in zip(times[:-1], times[1:]):
        with cast:
            clean = _predict(model, latent, float(now), condition, inside, given, without, options.guidance)
        latent = model.schedule.step(options.solver, latent, clean, now, then)
    return clean


def _predict(
    model: NaturalSpeech2,
    latent: torch.Tensor,
    now: float,
    condition: torch.Tensor,
    inside: torch.Tensor,
    given: Conditions,
    without: Conditions | None,
    guidance: float,
) -> torch.Tensor:
    time = torch.full((len(latent),), now, device=latent.device)
    clean = model.wavenet(latent, time, condition, given.summary, inside)
    if without is None:
        return clean
    plain = model.wavenet(latent, time, condition, without.summary, inside)
    return plain + guidance * (clean - plain)


def _durations(wanted: Wanted, predicted: np.ndarray) -> np.ndarray:
    """Frames (S,) of each token, as predicted or as given, at the speed that is wanted."""
    frames = predicted if wanted.durations is None else wanted.durations
    return scaled_durations(frames, wanted.speed, wanted.least)


def _pitch(wanted: Wanted, durations: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Natural log of F0 (T,), as predicted or as given, with what is wished for."""
    frames = int(durations.sum())
    log_f0 = predicted if wanted.contour is None or not frames else stretched(wanted.contour, frames)
    centre = float(log_f0.mean()) if frames else 0.0
    pitch, pitch_range = (np.repeat(one, durations) for one in (wanted.pitch, wanted.pitch_range))
    return shifted_pitch(log_f0, pitch, pitch_range, centre)


def _noise(seed: int, frames: int, dim: int) -> torch.Tensor:
    """Standard noise (frames, dim), on the CPU: the same on each device."""
    return torch.randn(frames, dim, generator=torch.Generator().manual_seed(seed))


def pad(rows: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (time_i, ...) -> (batch, longest, ...), zeros behind each, and lengths (batch,) on the CPU."""
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True), lengths
