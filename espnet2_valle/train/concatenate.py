"""Training examples in which a speaker goes on with another utterance.

Synthesis continues a prompt with another utterance's text: across a pause and a falling melody. A model
trained on single utterances only has never seen speech go on behind those. Two utterances of a speaker laid
behind one another show it. They are laid so when a batch is made; no archive is copied.
"""

import numpy as np

from espnet2_valle.train.index import SPEAKER_SHIFT, TrainingIndex

ALONE = -1
CHUNK = 1 << 20  # utterances looked at together, which bounds the memory


def choose_companions(index: TrainingIndex, max_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Give each utterance one of the same speaker to go on with, where one is short enough.

    Args:
        index: of the training set.
        max_frames: longest joined length.
        rng: of the choice, which is uniform among those that fit.

    Returns:
        (utterances,) int32, the number of each one's companion; `ALONE` where none fits.
    """
    companions = np.full(len(index), ALONE, np.int32)
    order, keys = index.columns["by_speaker"], index.columns["speaker_frames"]
    for start in range(0, len(index), CHUNK):
        first = order[start : start + CHUNK]
        ranks = np.arange(start, start + len(first))  # in the speakers' order
        speaker = keys[start : start + CHUNK] >> SPEAKER_SHIFT << SPEAKER_SHIFT
        room = max_frames - index.frames[first].astype(np.int64)
        low = np.searchsorted(keys, speaker)
        high = np.searchsorted(keys, speaker + np.maximum(room, 0), side="right")
        itself = ranks < high  # it would fit behind itself, which is not wanted
        choices = high - low - itself
        chosen = low + (rng.random(len(first)) * choices).astype(np.int64)
        chosen += itself & (chosen >= ranks)
        found = choices > 0
        companions[first[found]] = order[chosen[found]]
    return companions
