"""Cluster bootstrap and paired tests: what they must say of data whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.evaluation.aggregate import Ratios
from espnet2_valle.evaluation.bootstrap import ratio_metric
from espnet2_valle.evaluation.paired_tests import flip_test, holm, paired_tests


def test_speakers_that_differ_widen_the_interval():
    generator = np.random.default_rng(0)
    speakers = np.repeat(np.arange(8), 20)
    values = generator.normal(size=8)[speakers] + 0.1 * generator.normal(size=160)
    alone, together = ratio_metric(values), ratio_metric(values, groups=list(speakers))
    assert together["value"] == pytest.approx(alone["value"])
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])


def test_the_interval_over_speakers_covers_the_truth_where_that_over_utterances_does_not():
    generator = np.random.default_rng(1)
    speakers = np.repeat(np.arange(30), 10)
    covered = np.zeros(2)
    for _ in range(100):
        values = generator.normal(size=30)[speakers] + 0.3 * generator.normal(size=300)
        for number, groups in enumerate((None, list(speakers))):
            metric = ratio_metric(values, num_samples=200, groups=groups)
            covered[number] += metric["low"] <= 0 <= metric["high"]
    assert covered[0] < 60
    assert covered[1] > 85


def test_one_group_an_utterance_is_no_grouping():
    values = np.arange(20.0)
    assert ratio_metric(values, groups=list("abcdefghijklmnopqrst")) == ratio_metric(values)


def test_exact_p_of_few_pairs():
    assert flip_test([1.0, 2.0, 3.0]) == pytest.approx(2 / 8)
    assert flip_test([1.0, 2.0, 3.0, 0.0]) == pytest.approx(2 / 8)
    assert flip_test([0.0, 0.0]) == 1.0
    assert flip_test([2.0, 0.0]) == 1.0  # a lone gap is as large with either sign
    assert flip_test([1.0, 2.0, 3.0], groups=["a", "a", "b"]) == pytest.approx(2 / 4)


def test_gaps_against_one_another_are_as_large_in_either_direction():
    assert flip_test([3.0, -1.0]) == 1.0
    assert flip_test([-3.0, -1.0]) == flip_test([3.0, 1.0]) == pytest.approx(2 / 4)


def test_p_hangs_on_the_seed_alone():
    gaps = np.random.default_rng(0).normal(0.1, size=60)
    assert flip_test(gaps, seed=1) == flip_test(gaps, seed=1) != flip_test(gaps, seed=2)


def test_random_signs_agree_with_all_signs():
    gaps = np.random.default_rng(0).normal(0.5, size=13)
    exact = flip_test(gaps)
    assert flip_test(gaps, num_flips=4000) == pytest.approx(exact, abs=0.03)


def test_p_is_small_as_often_as_it_says_when_systems_are_alike():
    generator = np.random.default_rng(0)
    ps = [flip_test(generator.normal(size=40), num_flips=199) for _ in range(300)]
    assert 0.02 <= np.mean(np.array(ps) <= 0.05) <= 0.09


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_never_lowers_and_keeps_the_order(ps):
    corrected = holm(ps)
    assert all(one >= other for one, other in zip(corrected, ps))
    assert all(0 <= value <= 1 for value in corrected)
    ranks = sorted(range(len(ps)), key=ps.__getitem__)
    assert [corrected[r] for r in ranks] == sorted(corrected)


def test_holm_of_a_known_case():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def ratios(errors, words):
    found = Ratios()
    for number, (top, bottom) in enumerate(zip(errors, words)):
        found.add(f"p{number}", top, bottom)
    return found


def test_a_difference_hidden_by_hard_texts_is_found_by_pairing():
    generator = np.random.default_rng(0)
    words = [10] * 40
    hard = generator.integers(0, 9, size=40)
    systems = {"a": {"wer": ratios(hard, words)}, "b": {"wer": ratios(hard + 1, words)}}
    (test,) = paired_tests(systems, {f"p{n}": f"s{n % 4}" for n in range(40)})
    assert (test["system"], test["base"], test["measure"], test["n"]) == ("b", "a", "wer", 40)
    assert test["difference"]["value"] == pytest.approx(0.1)
    assert test["p"] < 0.001
    assert test["p_by_speaker"] == pytest.approx(2 / 16)  # four speakers cannot say more
    own = [ratio_metric(s["wer"].numerators, s["wer"].denominators) for s in systems.values()]
    assert own[0]["high"] > own[1]["low"]  # unpaired, the intervals overlap


def test_several_samples_of_a_pair_count_as_one_pair():
    once, twice = ratios([1, 2], [4, 4]), Ratios()
    for pair, top in (("p0", 1), ("p0", 3), ("p1", 2), ("p1", 2)):
        twice.add(pair, top, 4)
    (test,) = paired_tests({"a": {"wer": once}, "b": {"wer": twice}}, {"p0": "x", "p1": "x"})
    assert test["n"] == 2
    assert test["difference"]["value"] == pytest.approx(1 / 8)
    assert "p_by_speaker" not in test


def test_systems_without_common_pairs_are_not_compared():
    lonely = Ratios(numerators=[1.0], denominators=[1.0], pairs=["q"])
    assert paired_tests({"a": {"wer": ratios([1], [2])}, "b": {"wer": lonely}}, {"p0": "x", "q": "x"}) == []
