import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.sampling import SamplingOptions, sample_code

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()


def draw_many(options, history=(), logits=LOGITS, count=400):
    generator = torch.Generator().manual_seed(0)
    drawn = [sample_code(logits, list(history), options, generator) for _ in range(count)]
    return torch.bincount(torch.tensor(drawn), minlength=len(logits)) / count


def test_zero_temperature_is_greedy():
    assert draw_many(SamplingOptions(temperature=0))[0] == 1


def test_plain_sampling_follows_the_distribution():
    torch.testing.assert_close(draw_many(SamplingOptions(), count=4000), LOGITS.exp(), atol=0.03, rtol=0)


def test_top_p_keeps_the_code_that_crosses_p():
    share = draw_many(SamplingOptions(top_p=0.6))
    assert share[0] > 0.5
    assert share[1] > 0.2
    assert share[2:].sum() == 0


def test_top_p_below_the_first_code_keeps_it():
    assert draw_many(SamplingOptions(top_p=0.1))[0] == 1


def test_top_k():
    assert draw_many(SamplingOptions(top_k=2))[2:].sum() == 0
    assert draw_many(SamplingOptions(top_k=9))[3] > 0


def test_a_repeated_code_is_drawn_anew_from_all_codes():
    options = SamplingOptions(top_p=0.1, repetition_window=10, repetition_threshold=0.1)
    assert draw_many(options, history=[1] * 10)[0] == 1  # code 0 is not in the window
    share = draw_many(options, history=[0] * 2 + [1] * 8, count=2000)
    torch.testing.assert_close(share, LOGITS.exp(), atol=0.05, rtol=0)


def test_window_forgets():
    options = SamplingOptions(top_p=0.1, repetition_window=3, repetition_threshold=0.1)
    assert draw_many(options, history=[0, 0, 0, 1, 1, 1])[0] == 1


@given(st.integers(0, 3), st.integers(0, 2**31))
def test_forbidden_codes_are_never_drawn(forbidden, seed):
    logits = LOGITS.clone()
    logits[forbidden] = float("-inf")
    options = SamplingOptions(top_p=0.9, repetition_window=4)
    generator = torch.Generator().manual_seed(seed)
    assert sample_code(logits, [0, 1, 2, 3], options, generator) != forbidden


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -1), ("top_p", 0), ("top_p", 1.1), ("top_k", -1), ("repetition_threshold", 2)],
)
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=f"--{name}: {value}"):
        SamplingOptions(**{name: value})
