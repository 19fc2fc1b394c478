"""Statistics of latents, by which a model sees them."""

import numpy as np
import pytest

from espnet2_valle.codec.latent import SMALLEST_STD, LatentStatistics
from espnet2_valle.common.errors import InputError


def test_they_are_those_of_all_frames():
    rng = np.random.default_rng(0)
    latents = [rng.normal(3.0, 2.0, (count, 4)).astype(np.float32) for count in (5, 50, 7)]
    found = LatentStatistics.of(iter(latents))
    every = np.concatenate(latents)
    np.testing.assert_allclose(found.mean, every.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.std, every.std(0), rtol=1e-5)


def test_what_never_moves_is_not_blown_up():
    found = LatentStatistics.of([np.full((9, 2), 7.0, np.float32)])
    np.testing.assert_allclose(found.std, SMALLEST_STD, rtol=1e-4)
    with pytest.raises(ValueError, match="no frame"):
        LatentStatistics.of([])


def test_they_come_back_from_their_file(tmp_path):
    found = LatentStatistics.of([np.arange(6, dtype=np.float32).reshape(3, 2)])
    found.save(tmp_path / "s.npz")
    again = LatentStatistics.load(tmp_path / "s.npz")
    np.testing.assert_array_equal(again.mean, found.mean)
    np.testing.assert_array_equal(again.std, found.std)
    (tmp_path / "s.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="holds no statistics"):
        LatentStatistics.load(tmp_path / "s.npz")
    with pytest.raises(InputError, match="no such statistics"):
        LatentStatistics.load(tmp_path / "none.npz")
