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


def contents(cache):
    """What each row holds of one channel, by what is seen in layer 0 after a step of ones."""
    ones = torch.ones(cache.batch, 2, 1, 4)
    keys, _ = cache.append(0, ones, ones)
    seen = [row[0, :, 0].tolist() for row in keys]
    first = min(cache.starts)
    return [row[start - first :] for row, start in zip(seen, cache.starts)]


def test_rows_are_admitted_in_place_where_there_is_room():
    cache = KVCache.stack([filled(4, 5), filled(2, 6)], room=4)
    cache.keep([0])
    assert cache.admit([filled(3, 7)], room=4) is cache
    assert cache.starts == [0, 1]
    assert contents(cache) == [[5, 5, 5, 5, 1], [7, 7, 7, 1]]
    assert torch.isfinite(cache.buffer[:, :, :2, :, :4]).all()


def test_a_longer_row_and_lack_of_room_move_the_others():
    cache = KVCache.stack([filled(2, 5), filled(5, 6)], room=3)
    cache.keep([0])
    cache.advance(0)
    assert cache.admit([filled(4, 7)], room=4) is cache  # five positions are taken, but four needed
    assert (cache.length, cache.starts) == (4, [2, 0])
    assert contents(cache) == [[5, 5, 1], [7, 7, 7, 7, 1]]


def test_a_cache_grows_where_it_must():
    small = KVCache.stack([filled(2, 5)], room=1)
    grown = small.admit([filled(3, 6), filled(1, 7)], room=9)
    assert grown is not small
    assert grown.max_length >= 12
    assert contents(grown) == [[5, 5, 1], [6, 6, 6, 1], [7, 1]]
    assert grown.admit([filled(2, 8)], room=9).batch == 4
