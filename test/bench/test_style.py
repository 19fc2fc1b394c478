"""The benchmark of styles: what it makes of measures."""

import numpy as np
import pytest

from espnet2_valle.bench.style import correlation, rank_correlation


def test_each_pair_is_compared_with_itself():
    pairs = np.array([100.0, 0.0, -50.0])
    levels = [1, 2, 3, 4, 5]
    found = pairs + np.array(levels)[:, None]
    assert correlation(found, levels) == pytest.approx(1.0)
    assert correlation(-found, levels) == pytest.approx(-1.0)
    found[2, 1] = np.nan
    assert correlation(found, levels) > 0.95


def test_what_is_monotone_correlates_fully():
    strengths = [0.5, 1.0, 1.5, 2.0, 3.0]
    assert rank_correlation(strengths, [0.189, 0.638, 0.758, 0.894, 0.954]) == 1.0
    assert rank_correlation(strengths, [0.189, 0.638, 0.758, 0.954, 0.894]) < 1.0
