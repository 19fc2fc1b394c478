"""Forced alignment by Gaussians: order, sums, and known utterances found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.asr.gaussians import Timed, TokenGaussians, best_path, emitting
from espnet2_valle.asr.spans import even_ends, least_frames, whole_frames
from espnet2_valle.text.roles import Role

SOUNDS = 6  # ids 0..5; 6 is a pause, 7 a mark
KINDS = np.array([Role.SOUND] * SOUNDS + [Role.PAUSE, Role.MARK])
CENTRES = np.random.default_rng(0).normal(0, 1, (7, 4))


def utterance(seed):
    """Edge, three words of two sounds with pauses between and a mark in each, edge."""
    rng = np.random.default_rng(seed)
    ids = [6]
    for _ in range(3):
        ids += [rng.integers(SOUNDS), 7, rng.integers(SOUNDS), 6]
    ids = np.array(ids)
    kinds = KINDS[ids]
    durations = np.where(kinds == Role.SOUND, rng.integers(3, 9, len(ids)), rng.integers(0, 7, len(ids)))
    durations = np.where(kinds == Role.MARK, 0, durations)
    latent = CENTRES[np.repeat(ids, durations)] + rng.normal(0, 0.2, (durations.sum(), 4))
    return Timed(latent, ids, kinds, durations)


def guess(one):
    ends = even_ends(one.roles, 0, len(one.latent), len(one.latent))
    durations = whole_frames(ends, least_frames(one.roles), len(one.latent), "u")
    return Timed(one.latent, one.ids, one.roles, durations)


def test_durations_are_found_from_nothing():
    truth = [utterance(seed) for seed in range(60)]
    fitted = TokenGaussians.fit([guess(one) for one in truth], 8, rounds=6)
    found = [fitted.align(one.latent, one.ids, one.roles) for one in truth]
    errors = np.concatenate(
        [np.cumsum(a) - np.cumsum(b.durations) for a, b in zip(found, truth, strict=True)]
    )
    assert np.abs(errors).mean() < 0.5
    again = TokenGaussians(**fitted.arrays())
    np.testing.assert_array_equal(again.align(truth[0].latent, truth[0].ids, truth[0].roles), found[0])


def test_all_pauses_have_one_gaussian_and_sounds_their_own():
    edge, between = 8, 6
    truth = [utterance(seed) for seed in range(20)]
    for one in truth:
        one.ids[[0, -1]] = edge
    fitted = TokenGaussians.of(truth, 9)
    np.testing.assert_array_equal(fitted.mean[edge], fitted.mean[between])
    np.testing.assert_array_equal(fitted.precision[edge], fitted.precision[between])
    assert len(np.unique(fitted.mean[: SOUNDS + 1], axis=0)) == SOUNDS + 1


@given(st.integers(0, 1000))
def test_an_alignment_sums_to_the_frames(seed):
    one = utterance(seed)
    found = TokenGaussians.of([one], 8).align(one.latent, one.ids, one.roles)
    assert found.sum() == len(one.latent)
    assert (found[one.roles == Role.SOUND] >= 1).all()
    assert (found[one.roles == Role.MARK] == 0).all()


def test_the_path_is_the_best_of_all():
    """Against trying out every path of a small case."""
    rng = np.random.default_rng(1)
    optional = np.array([True, False, True, False, True])
    for _ in range(20):
        scores = rng.normal(size=(5, 5))
        best = max(all_paths(5, optional), key=lambda path: scores[np.arange(5), path].sum())
        np.testing.assert_array_equal(best_path(scores, optional), best)


def all_paths(frames, optional):
    def grow(path):
        if len(path) == frames:
            if optional[path[-1] + 1 :].all():
                yield np.array(path)
            return
        begins = [0, 1] if not path else [path[-1], path[-1] + 1, path[-1] + 2]
        for state in begins:
            skipped = range(path[-1] + 1 if path else 0, state)
            if state < len(optional) and all(optional[one] for one in skipped):
                yield from grow([*path, state])

    return grow([])


def test_pauses_in_a_row_are_one():
    kinds = np.array([Role.PAUSE, Role.SOUND, Role.PAUSE, Role.PAUSE, Role.MARK, Role.PAUSE, Role.SOUND])
    assert emitting(kinds).tolist() == [0, 1, 2, 6]


def test_fewer_frames_than_sounds():
    one = utterance(0)
    with pytest.raises(ValueError, match="2 frames for 6 sounds"):
        TokenGaussians.of([one], 8).align(one.latent[:2], one.ids, one.roles)
