"""Embeddings of codes that begin where the codec's codewords lie."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.embeddings import CodeTables, fourier_features

WIDTH = 64


def features(points, seed=0):
    return fourier_features(points, WIDTH, torch.Generator().manual_seed(seed))


def test_near_points_get_like_features():
    points = torch.rand(200, 1, generator=torch.Generator().manual_seed(0)).sort(0).values
    likeness = torch.nn.functional.cosine_similarity(features(points)[:, None], features(points), dim=2)
    neighbours, strangers = likeness.diagonal(1).mean(), likeness.diagonal(100).mean()
    assert neighbours > 0.8
    assert abs(strangers) < 0.3


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(1e-3, 1e3))
def test_the_unit_of_the_codewords_does_not_matter(scale):
    points = torch.randn(50, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(features(scale * points), features(points), atol=1e-4, rtol=0)
    assert float(features(points).norm(dim=1).mean()) == pytest.approx(1)


def test_codewords_that_are_alike_are_no_obstacle():
    points = torch.zeros(10, 2)
    points[5:] = 1
    found = features(points)
    assert found.isfinite().all()
    torch.testing.assert_close(found[0], found[4])
    assert not torch.allclose(found[0], found[5])


def test_tables_start_from_codewords_and_keep_the_rest():
    tables = CodeTables(3, 17, WIDTH)
    before = tables.weight.detach().clone()
    codewords = [torch.randn(16, 5), torch.randn(16, 2)]
    tables.start_from(codewords)
    assert not torch.isclose(tables.weight[:2, :16], before[:2, :16]).all(2).any()
    torch.testing.assert_close(tables.weight[:2, 16], before[:2, 16])
    torch.testing.assert_close(tables.weight[2], before[2])
    again = CodeTables(3, 17, WIDTH)
    again.start_from(codewords)
    torch.testing.assert_close(tables.weight[:2, :16], again.weight[:2, :16])


def test_codewords_of_all_codebooks_may_be_given_to_a_model_of_one():
    model = VALLEAR(9, 4, 16, layers=1, width=WIDTH, heads=2, feed_forward=8)
    end = model.codes.weight[0, 16].detach().clone()
    model.codes.start_from([torch.randn(16, 3) for _ in range(4)])
    torch.testing.assert_close(model.codes.weight[0, 16], end)
