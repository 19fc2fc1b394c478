import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.sampling import SamplingOptions, draw_codes

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()


def draw_many(options, history=(), logits=LOGITS, count=400):
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_codes(logits[None], [history], options, [generator])[0] for _ in range(count)]
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


@settings(deadline=None)
@given(st.integers(0, 3), st.integers(0, 2**31))
def test_forbidden_codes_are_never_drawn(forbidden, seed):
    logits = LOGITS.clone()
    logits[forbidden] = float("-inf")
    options = SamplingOptions(top_p=0.9, repetition_window=4)
    generator = torch.Generator().manual_seed(seed)
    assert draw_codes(logits[None], [[0, 1, 2, 3]], options, [generator]) != [forbidden]


def test_min_p_is_relative_to_the_likeliest():
    share = draw_many(SamplingOptions(min_p=0.4))
    assert (share > 0).tolist() == [True, True, False, False]
    assert draw_many(SamplingOptions(min_p=1.0))[0] == 1


def test_the_window_may_count_the_code_just_drawn():
    """Of a window of 4: once before is 1/4 without the drawn code, and 2/4 with it."""
    given = {"top_p": 0.1, "repetition_window": 4, "repetition_threshold": 0.3}
    history = [1, 1, 1, 0]
    assert draw_many(SamplingOptions(**given), history)[0] == 1
    assert draw_many(SamplingOptions(**given, repetition_counts_drawn=True), history)[0] < 1
    first_falls_out = [0, 1, 1, 1]
    assert draw_many(SamplingOptions(**given, repetition_counts_drawn=True), first_falls_out)[0] == 1


def test_a_row_draws_the_same_alone_and_beside_others():
    options = SamplingOptions(top_p=0.9, repetition_window=4, repetition_threshold=0.1)
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    histories = [[0] * 4, [int(logits[1].argmax())] * 4, []]

    def generators():
        return [torch.Generator().manual_seed(seed) for seed in (5, 6, 7)]

    together, alone = generators(), generators()
    for _ in range(20):
        codes = draw_codes(logits, histories, options, together)
        for row in range(3):
            assert draw_codes(logits[row : row + 1], [histories[row]], options, [alone[row]]) == [codes[row]]


def test_drawing_is_what_multinomial_does():
    """So a seed gives the speech that it gave before rows were drawn together."""
    weights = torch.rand(1025, generator=torch.Generator().manual_seed(0))
    ours, theirs = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    for _ in range(10):
        expected = int(torch.multinomial(weights.softmax(0), 1, generator=theirs))
        assert draw_codes(weights[None], [[]], SamplingOptions(), [ours]) == [expected]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("top_p", 0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", 2),
        ("repetition_threshold", 2),
    ],
)
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=f"--{name}: {value}"):
        SamplingOptions(**{name: value})
