"""The device of the tests for a GPU, and small models with what they are asked.

Where there is none they are rehearsed on the CPU, so that they go with the code. `GPU_TEST_DEVICE` names one.
"""

import os

import pytest
import torch
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed

from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.nar import VALLENAR

DEVICE = torch.device(os.environ.get("GPU_TEST_DEVICE", "cuda" if torch.cuda.is_available() else "cpu"))
VOCAB, CODEBOOKS, CODES = 20, 4, 64
SIZES = {"layers": 2, "width": 64, "heads": 2, "feed_forward": 128, "dropout": 0.0}


def pytest_collection_modifyitems(items):
    if DEVICE.type == "cuda" and not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="there is no CUDA GPU"))


@pytest.fixture
def device():
    return DEVICE


@pytest.fixture
def build():
    """Models that are the same whenever they are built."""

    def make(kind, **options):
        set_all_random_seed(0)
        return {"ar": VALLEAR, "nar": VALLENAR}[kind](VOCAB, CODEBOOKS, CODES, **{**SIZES, **options})

    return make


@pytest.fixture
def batch():
    """Four utterances of lengths that differ."""
    generator = torch.Generator().manual_seed(1)
    return {
        "text": torch.randint(0, VOCAB - 1, (4, 30), generator=generator),
        "text_lengths": torch.tensor([30, 12, 21, 5]),
        "codes": torch.randint(0, CODES, (4, 150, CODEBOOKS), generator=generator),
        "codes_lengths": torch.tensor([150, 90, 31, 120]),
    }
