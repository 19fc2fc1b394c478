import torch

from espnet2_valle.valle.cache import KVCache


def filled(length, value):
    """A cache of one row, 2 layers, 2 heads of 4 channels."""
    cache = KVCache(2, 1, 2, length, 4, torch.float32, torch.device("cpu"))
    for layer in range(2):
        part = torch.full((1, 2, length, 4), float(value))
        cache.append(layer, part, -part)
    cache.advance(length)
    return cache


def test_rows_of_different_lengths_end_together():
    cache = KVCache.stack([filled(2, 5), filled(4, 6)], room=1)
    mask = cache.mask(1)
    keys, values = cache.append(0, torch.ones(2, 2, 1, 4), torch.ones(2, 2, 1, 4))
    assert keys.shape == values.shape == (2, 2, 5, 4)
    assert keys[0, 0, :, 0].tolist() == [0, 0, 5, 5, 1]
    assert values[1, 0, :, 0].tolist() == [-6, -6, -6, -6, 1]
    assert mask[0, 0, 0].tolist() == [float("-inf")] * 2 + [0] * 3
    assert mask[1].sum() == 0


def test_dropping_rows_drops_what_only_they_had():
    cache = KVCache.stack([filled(4, 5), filled(2, 6), filled(3, 7)], room=2)
    cache.keep([1, 2])
    keys, _ = cache.append(1, torch.ones(2, 2, 1, 4), torch.ones(2, 2, 1, 4))
    assert keys[:, 0, :, 0].tolist()[1] == [7, 7, 7, 1]
    assert keys[0, 0, 1:, 0].tolist() == [6, 6, 1]
    assert cache.mask(1)[:, 0, 0].tolist() == [[float("-inf"), 0, 0, 0], [0, 0, 0, 0]]
    cache.keep([0])
    assert cache.mask(1) is None
    assert cache.append(1, torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4))[0].shape[2] == 3
