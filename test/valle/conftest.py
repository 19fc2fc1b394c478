"""Small models and batches."""

import pytest
import torch

VOCAB, QUANTIZERS, SIZE = 12, 4, 16


@pytest.fixture
def batch():
    """Three utterances of different lengths."""
    generator = torch.Generator().manual_seed(1)

    def draw(high, *shape):
        return torch.randint(0, high, shape, generator=generator)

    return {
        "text": draw(VOCAB - 1, 3, 7),
        "text_lengths": torch.tensor([7, 4, 5]),
        "codes": draw(SIZE, 3, 13, QUANTIZERS),
        "codes_lengths": torch.tensor([9, 13, 10]),
    }


@pytest.fixture
def sizes():
    """Constructor arguments of a model small enough for a test."""
    return {
        "vocab_size": VOCAB,
        "num_codebooks": QUANTIZERS,
        "codebook_size": SIZE,
        "layers": 2,
        "width": 32,
        "heads": 4,
        "feed_forward": 64,
        "dropout": 0.0,
    }
