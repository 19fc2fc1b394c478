"""Statistics of latents, by which a model sees them."""

import numpy as np
import pytest

from espnet2_valle.codec.latent import SMALLEST_STD, LatentStatistics


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
