import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.evaluation.bootstrap import NO_METRIC, complement, ratio_metric, relative_accuracy

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30)
COUNTS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=30)


@given(VALUES)
def test_mean_lies_in_its_interval(values):
    metric = ratio_metric(values, num_samples=50)
    assert metric["value"] == pytest.approx(np.mean(values))
    assert metric["low"] <= metric["value"] <= metric["high"]


@given(COUNTS, st.integers(0, 100))
def test_ratio_of_sums_is_seeded_and_lies_in_its_interval(counts, seed):
    errors, words = zip(*counts)
    metric = ratio_metric(errors, words, seed=seed, num_samples=50)
    assert metric == ratio_metric(errors, words, seed=seed, num_samples=50)
    assert metric["value"] == sum(errors) / sum(words)
    assert metric["low"] <= metric["value"] <= metric["high"]


def test_a_long_utterance_weighs_more_than_in_a_mean_of_rates():
    assert ratio_metric([0, 9], [1, 9])["value"] == 0.9


def test_other_seeds_give_other_intervals():
    values = np.arange(20.0)
    assert ratio_metric(values, seed=0) != ratio_metric(values, seed=1)


def test_interval_narrows_with_more_utterances():
    values = np.random.default_rng(0).normal(size=1600)
    few, many = ratio_metric(values[:100]), ratio_metric(values)
    assert (many["high"] - many["low"]) < 0.5 * (few["high"] - few["low"])


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    metrics = [ratio_metric(generator.normal(size=60), num_samples=300) for _ in range(200)]
    covered = np.mean([metric["low"] <= 0 <= metric["high"] for metric in metrics])
    assert 0.88 <= covered <= 0.99


def test_large_lists_are_resampled_in_chunks(monkeypatch):
    values = np.arange(50.0)
    monkeypatch.setattr("espnet2_valle.evaluation.bootstrap.CHUNK_ELEMENTS", 500)
    chunked = ratio_metric(values, num_samples=25)
    assert chunked["low"] < chunked["value"] < chunked["high"]


@pytest.mark.parametrize(("top", "bottom"), [([], None), ([], []), ([1.0], [0.0])])
def test_nothing_to_count_gives_no_figure(top, bottom):
    assert ratio_metric(top, bottom) == NO_METRIC
    assert complement(ratio_metric(top, bottom)) == NO_METRIC


def test_accuracy_is_the_complement_and_not_below_zero():
    assert complement({"value": 0.25, "low": 0.125, "high": 0.5}) == {
        "value": 0.75,
        "low": 0.5,
        "high": 0.875,
    }
    assert complement({"value": 1.5, "low": 0.5, "high": 2.0}) == {"value": 0.0, "low": 0.0, "high": 0.5}


def test_relative_accuracy_resamples_both_systems_together():
    errors = [0, 1, 2, 3] * 10
    same = relative_accuracy(errors, errors, [4] * 40)
    assert same == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert relative_accuracy([2] * 40, [1] * 40, [4] * 40)["value"] == pytest.approx(2 / 3)
    assert relative_accuracy([0], [4], [4]) == NO_METRIC
