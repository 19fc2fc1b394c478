from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.generate.stopping import MAX_CYCLE, RepetitionTrap


def closes_at(codes, max_frames):
    """Frames taken until the trap closed; None if it never did."""
    trap = RepetitionTrap(max_frames)
    return next((count for count, code in enumerate(codes, 1) if trap.add(code)), None)


@settings(deadline=None)
@given(period=st.integers(1, MAX_CYCLE), frames=st.integers(1, 40), before=st.integers(0, 5))
def test_a_cycle_closes_it_after_the_given_time(period, frames, before):
    codes = [*range(100, 100 + before), *(count % period for count in range(100))]
    assert closes_at(codes, frames) == before + period + frames


def test_a_longer_cycle_is_speech():
    assert closes_at([count % (MAX_CYCLE + 1) for count in range(500)], 20) is None


def test_a_pause_does_not_close_it():
    pause = [3] * 19
    assert closes_at([1, 2, *pause, 1, *pause, 2, 1, *pause], 20) is None


def test_nothing_closes_it_when_it_is_off():
    assert closes_at([1] * 1000, 0) is None
