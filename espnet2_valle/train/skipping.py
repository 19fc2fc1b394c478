"""Iterators that begin inside an epoch, where a broken-off one goes on."""

import itertools
from collections.abc import Iterator
from typing import Any

from espnet2.iterators.abs_iter_factory import AbsIterFactory

from espnet2_valle.train.iterator import Batch, IndexIterFactory


def skip(factory: AbsIterFactory, epoch: int, steps: int) -> AbsIterFactory:
    """A factory whose first iterator of `epoch` begins behind its first `steps` batches."""
    if isinstance(factory, IndexIterFactory):
        factory.skip(epoch, steps)
        return factory
    return _SkippingFactory(factory, epoch, steps)


class _SkippingFactory(AbsIterFactory):
    """For ESPnet's own iterators, which have to read the batches that are skipped."""

    def __init__(self, factory: AbsIterFactory, epoch: int, steps: int):
        self.factory, self.epoch, self.steps = factory, epoch, steps

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> Any:
        iterator = self.factory.build_iter(epoch, shuffle)
        return _Rest(iterator, self.steps) if epoch == self.epoch else iterator


class _Rest:
    """The items of an iterable of known length behind its first `steps`."""

    def __init__(self, iterable: Any, steps: int):
        self.iterable, self.steps = iterable, steps

    def __len__(self) -> int:
        return max(0, len(self.iterable) - self.steps)

    def __iter__(self) -> Iterator[Batch]:
        return itertools.islice(iter(self.iterable), self.steps, None)
