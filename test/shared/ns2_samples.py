"""A tiny diffusion model and an utterance or two for it."""

import numpy as np
import torch

from espnet2_valle.ns2.generation import Wanted
from espnet2_valle.ns2.model import NaturalSpeech2

VOCAB, DIM = 7, 5
SIZES = {
    "width": 16,
    "heads": 2,
    "encoder_layers": 1,
    "encoder_feed_forward": 24,
    "encoder_kernel": 3,
    "prompt_layers": 1,
    "predictor_layers": 4,
    "predictor_attend_every": 2,
    "wavenet_layers": 4,
    "wavenet_width": 16,
    "wavenet_dilations": [1, 2],
    "wavenet_attend_every": 2,
    "queries": 3,
    "dropout": 0.0,
    "predictor_dropout": 0.0,
    "prompt_dropout": 0.0,
}


def tiny_model():
    """Random weights everywhere, those that begin at zero included."""
    torch.manual_seed(0)
    model = NaturalSpeech2(VOCAB, DIM, **SIZES)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
        model.duration_predictor.out.bias.fill_(1.2)
    return model.eval()


def batch_of(lengths, seed=0):
    """Arguments of `ESPnetNS2Model.forward`: rows of (tokens, frames, prompt frames)."""
    rng = np.random.default_rng(seed)
    rows = []
    for tokens, frames, prompt in lengths:
        cuts = np.sort(rng.integers(0, frames + 1, tokens - 1))
        rows.append(
            {
                "text": torch.from_numpy(rng.integers(1, VOCAB, tokens)),
                "durations": torch.from_numpy(np.diff(cuts, prepend=0, append=frames)),
                "latent": torch.from_numpy(rng.normal(size=(frames, DIM)).astype(np.float32)),
                "codes": torch.from_numpy(rng.integers(0, 4, (frames, 2))),
                "pitch": torch.from_numpy(rng.normal(5, 0.3, frames).astype(np.float32)),
                "scored": torch.ones(frames),
                "prompt": torch.from_numpy(rng.normal(size=(prompt, DIM)).astype(np.float32)),
            }
        )
    return rows


def collated(rows, more=0):
    """Rows as a batch, with `more` positions of padding; what is padding is not zero."""
    batch = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        longest = max(map(len, values)) + more
        padded = torch.full((len(rows), longest, *values[0].shape[1:]), 3).to(values[0].dtype)
        if name in ("durations", "codes", "scored"):
            padded.zero_()
        for place, value in enumerate(values):
            padded[place, : len(value)] = value
        batch[name] = padded
        batch[f"{name}_lengths"] = torch.tensor([len(value) for value in values])
    return batch


def wanted(tokens=4, seed=1, speed=1.0, pitch=0.0, pitch_range=1.0, **more):
    """A text of random tokens, all sounds but the edges."""
    rng = np.random.default_rng(tokens)
    least = np.array([0, *[1] * (tokens - 2), 0])
    ids = rng.integers(1, VOCAB, tokens)
    prompt = rng.normal(size=(3 + tokens, DIM)).astype(np.float32)
    ones = np.ones(tokens)
    return Wanted(ids, least, prompt, seed, ones * speed, ones * pitch, ones * pitch_range, **more)
