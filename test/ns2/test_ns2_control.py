"""What is asked for in lengths and pitch is what comes out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.ns2.control import Control, parse_control, scaled_durations, shifted_pitch, stretched

FRAMES = st.lists(st.floats(0, 20), min_size=1, max_size=30)


@given(FRAMES, st.floats(0.5, 2.0))
def test_the_length_is_what_was_asked_for(frames, speed):
    frames = np.array(frames)
    found = scaled_durations(frames, np.full(len(frames), speed), np.zeros(len(frames), int))
    assert abs(found.sum() - frames.sum() / speed) <= 0.5
    assert (found >= 0).all()


@given(FRAMES)
def test_each_sound_has_its_least(frames):
    least = np.ones(len(frames), int)
    found = scaled_durations(np.array(frames), np.ones(len(frames)), least)
    assert (found >= least).all()


def test_neighbours_lend_a_frame():
    assert scaled_durations(np.array([5.0, 0.1, 5.0]), np.ones(3), np.ones(3, int)).sum() == 10


def test_pitch_in_semitones_and_ranges():
    log_f0 = np.log([100.0, 200.0])
    up = shifted_pitch(log_f0, np.full(2, 12.0), np.ones(2), log_f0.mean())
    np.testing.assert_allclose(np.exp(up), [200.0, 400.0])
    flat = shifted_pitch(log_f0, np.zeros(2), np.zeros(2), log_f0.mean())
    np.testing.assert_allclose(np.exp(flat), [np.sqrt(20000)] * 2)
    wide = shifted_pitch(log_f0, np.zeros(2), np.full(2, 2.0), log_f0.mean())
    np.testing.assert_allclose(np.diff(wide), 2 * np.diff(log_f0))


def test_a_contour_is_stretched_through_what_is_unvoiced():
    np.testing.assert_allclose(np.exp(stretched(np.array([0, 100.0, 0, 100.0]), 9)), [100.0] * 9)
    np.testing.assert_allclose(np.exp(stretched(np.array([100.0, 400.0]), 3)), [100.0, 200.0, 400.0])
    with pytest.raises(InputError, match="has no voiced frame"):
        stretched(np.zeros(5), 3)


def test_a_line_of_wishes():
    found = parse_control("speed=0.8 pitch=2 2-3:speed=0.5 1:pitch_range=1.5")
    assert found == Control(0.8, 2.0, words={(2, 3): Control(speed=0.5), (1, 1): Control(pitch_range=1.5)})
    assert parse_control("") == Control()
    both = Control(speed=0.5, pitch=1).within(Control(speed=0.5, pitch=2, pitch_range=2.0))
    assert (both.speed, both.pitch, both.pitch_range) == (0.25, 3.0, 2.0)


@pytest.mark.parametrize("line", ["loud=1", "speed", "speed=fast", "x:speed=1", "speed=nan", "1-:speed=1"])
def test_what_is_no_wish(line):
    with pytest.raises(InputError, match="is no wish"):
        parse_control(line)


@pytest.mark.parametrize(
    "line", ["speed=0", "speed=9", "pitch=30", "pitch_range=-1", "3-2:speed=1", "0:speed=1"]
)
def test_what_is_out_of_range(line):
    with pytest.raises(InputError, match="out of range|are no span"):
        parse_control(line)
