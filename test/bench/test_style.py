"""The benchmark of styles: what it makes of measures."""

import numpy as np
import pytest

from espnet2_valle.bench.style import correlation


def test_each_pair_is_compared_with_itself():
    pairs = np.array([100.0, 0.0, -50.0])
    levels = [1, 2, 3, 4, 5]
    found = pairs + np.array(levels)[:, None]
    assert correlation(found, levels) == pytest.approx(1.0)
    assert correlation(-found, levels) == pytest.approx(-1.0)
    found[2, 1] = np.nan
    assert correlation(found, levels) > 0.95
