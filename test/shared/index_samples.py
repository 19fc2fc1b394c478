"""Indices of random lengths, for tests of what is made from them."""

import numpy as np

from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.index_writer import IndexWriter


def random_index(folder, count, speakers=3, longest=60, seed=0):
    """An index of `count` utterances without archives."""
    rng = np.random.default_rng(seed)
    with IndexWriter(folder, num_codebooks=2) as writer:
        for number in range(count):
            ids = rng.integers(0, 9, rng.integers(1, 9)).tolist()
            frames, speaker = int(rng.integers(1, longest)), f"s{rng.integers(speakers)}"
            writer.add(f"utt{number:04}", speaker, ids, "codes.ark", 0, frames)
    return TrainingIndex(folder)
