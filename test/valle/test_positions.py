"""Batches are planned by the length that a model says its sequences have: it must be the true one."""

import numpy as np
import pytest
import torch

from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.embeddings import SHAPE_STEP
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.rows import round_up

SIZES = {"layers": 1, "width": 8, "heads": 2, "feed_forward": 8}


@pytest.mark.parametrize(
    "model",
    [
        VALLEAR(9, 4, 16, group_size=1, **SIZES),
        VALLEAR(9, 4, 16, group_size=3, **SIZES),
        VALLENAR(9, 4, 16, prompt_mode="prefix", **SIZES),
        VALLENAR(9, 4, 16, prompt_mode="random", max_prompt_frames=30, **SIZES),
        VALLENAR(9, 4, 16, prompt_mode="random", max_prompt_frames=90, **SIZES),
    ],
)
def test_positions_are_those_of_the_transformer(model):
    seen = []
    model.transformer.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[1]))
    text_lengths, codes_lengths = torch.tensor([7, 12, 3]), torch.tensor([80, 101, 120])
    codes = torch.randint(0, 16, (3, 120, 4))
    model.train()(torch.randint(0, 8, (3, 12)), text_lengths, codes, codes_lengths)
    lengths = model.positions(text_lengths, codes_lengths)
    assert seen == [round_up(int(lengths.max()), SHAPE_STEP)]
    np.testing.assert_array_equal(model.positions(text_lengths.numpy(), codes_lengths.numpy()), lengths)
