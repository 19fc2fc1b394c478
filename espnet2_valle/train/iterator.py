"""Batches from a training index, for ESPnet's `iterator_type: task`."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from torch.utils.data import DataLoader, Dataset

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.multilingual import normal_code
from espnet2_valle.train.batches import BatchPlan, BatchRule, Item
from espnet2_valle.train.concatenate import ALONE
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.told_style import ToldStyle

Utterance = tuple[str, dict[str, np.ndarray]]
Batch = tuple[list[str], dict[str, torch.Tensor]]  # names, and what the model is given


class IndexedUtterances(Dataset[Utterance]):
    """Utterances, and pairs of them laid behind one another, by `Item`.

    Args:
        index: of the set.
        preprocess: checks an utterance, or None.
        separator: token between the texts of a pair; None: nothing.
        languages: whose numbers utterances are to have, in that order; None: they have none.
        told: conditions of style that they are to have; None: none.
        parts: they are to tell where the second of a pair begins.

    Raises:
        InputError: the set has an utterance of another language, or see `ToldStyle.numbers_of`.
    """

    def __init__(
        self,
        index: TrainingIndex,
        preprocess: Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
        separator: int | None = None,
        languages: Sequence[str] | None = None,
        told: ToldStyle | None = None,
        parts: bool = False,
    ):
        self.index = index
        self.styles = None if told is None else told.numbers_of(index)
        self.languages = None if languages is None else _numbers(index, languages)
        self.parts = parts
        self.preprocess = preprocess
        self.separator = [] if separator is None else [separator]

    def __getitem__(self, item: Item) -> Utterance:
        """Name (`first+second` of a pair), and "text" (S,) int64 and "codes" (T, Q) int16.

        With `languages` also "text_languages" (S,) and "codes_languages" (T,), int64; with `told` also
        "text_styles" (S, 1 + conditions), see `StyleConditions.weights`; with `parts` also "parts" (2,)
        int64, tokens and frames of the first.
        """
        first, second = item
        spoken, styled = self._languages(first), self._style(first, 1)
        name, text, codes = self.index.utterance(first), self.index.text(first), self.index.codes(first)
        if second != ALONE:
            name += f"+{self.index.utterance(second)}"
            text = np.concatenate([text, np.array(self.separator, text.dtype), self.index.text(second)])
            codes = np.concatenate([codes, self.index.codes(second)])
            styled = [
                np.concatenate([np.pad(one, ((0, len(self.separator)), (0, 0)), mode="edge"), other])
                for one, other in zip(styled, self._style(second, 2))
            ]
            # The token between them counts as of the first.
            spoken = [
                np.concatenate([np.pad(one, (0, more), mode="edge"), other])
                for one, other, more in zip(spoken, self._languages(second), (len(self.separator), 0))
            ]
        data = {"text": text, "codes": codes}
        data = self.preprocess(name, data) if self.preprocess else data
        told = dict(zip(("text_languages", "codes_languages"), spoken)) | dict(zip(["text_styles"], styled))
        if self.parts:
            told["parts"] = np.array([self.index.tokens[first], self.index.frames[first]], dtype=np.int64)
        return name, {**data, **told}

    def _style(self, number: int, part: int) -> list[np.ndarray]:
        """The style of each token of an utterance, which is that `part` of a pair; or nothing."""
        if self.styles is None:
            return []
        return [np.tile([part, *self.styles[number]], (self.index.tokens[number], 1))]

    def _languages(self, number: int) -> list[np.ndarray]:
        """The language of each token and of each frame of an utterance, or nothing."""
        if self.languages is None:
            return []
        language = self.languages[self.index.columns["language"][number]]
        return [np.full(length[number], language) for length in (self.index.tokens, self.index.frames)]


def _numbers(index: TrainingIndex, languages: Sequence[str]) -> np.ndarray:
    """The number (languages of the index,) int64 of each language that an index has.

    Raises:
        InputError: it has another one.
    """
    names = [normal_code(name) for name in index.languages]
    for name in names:
        if name not in languages:
            raise InputError(
                index.directory / "languages.txt",
                f"has '{name}', which is none of the languages of the model: {', '.join(languages)}",
                "Write utt2lang into the data directory (stage 1) and run stages 2 to 4 again, or name it in "
                "valle_conf: languages",
            )
    return np.array([languages.index(name) for name in names], dtype=np.int64)


class IndexIterFactory(AbsIterFactory):
    """The endless sequence of batches of one rank, cut into ESPnet's epochs.

    Passes over the index follow one another; an epoch is the next `num_iters_per_epoch` batches. All follows
    from seed, epoch and step, so a broken-off epoch goes on with exactly the batches that it lacks.

    Args:
        utterances: what the batches are made of.
        rule: see `BatchRule`.
        collate: list of utterances -> names and padded tensors.
        num_iters_per_epoch: batches an epoch; None: one pass.
        seed: of composition and order.
        shuffle: False gives the same batches in every epoch.
        rank: of this process.
        num_workers: processes that read ahead.
        pin_memory: for copies to a GPU.
    """

    def __init__(
        self,
        utterances: IndexedUtterances,
        rule: BatchRule,
        collate: Callable[[list[Utterance]], Batch],
        num_iters_per_epoch: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        num_workers: int = 0,
        pin_memory: bool = False,
    ):
        self.utterances = utterances
        self.rule = rule
        self.collate = collate
        self.num_iters_per_epoch = num_iters_per_epoch
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.skipped: dict[int, int] = {}
        self._plans: dict[int, BatchPlan] = {}
        self._pass_length: int | None = None

    def plan(self, number: int) -> BatchPlan:
        """The plan of pass `number`, counted from 0; the last one asked for is kept."""
        if number not in self._plans:
            self._plans.clear()
            self._plans[number] = BatchPlan(
                self.utterances.index, self.rule, (self.seed, number), self.shuffle
            )
        return self._plans[number]

    @property
    def pass_length(self) -> int:
        """Batches of a pass, which are those of the first one.

        With joined utterances the number varies a little; a pass then leaves some random batches out, or
        gives some twice, so that the place of a step is known without all passes before it.
        """
        if self._pass_length is None:
            self._pass_length = len(self.plan(0))
        return self._pass_length

    def skip(self, epoch: int, steps: int) -> None:
        """The next iterator of `epoch` begins behind its first `steps` batches."""
        self.skipped[epoch] = steps

    def items(self, epoch: int, begin: int = 0) -> Iterator[list[Item]]:
        """The batches of this rank in `epoch`, counted from 1, from its batch `begin` on."""
        length = self.num_iters_per_epoch or self.pass_length
        for step in range((epoch - 1) * length + begin, epoch * length):
            number, place = divmod(step, self.pass_length)
            plan = self.plan(number)
            yield plan.batch(place % len(plan), self.rank)

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> DataLoader:
        """Batches of `epoch`: (names, tensors)."""
        begin = self.skipped.pop(epoch, 0)
        length = self.num_iters_per_epoch or self.pass_length
        return DataLoader(
            self.utterances,
            batch_sampler=_Sized(lambda: self.items(epoch, begin), max(0, length - begin)),
            collate_fn=self.collate,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            generator=torch.Generator().manual_seed(0),  # leaves the training's random numbers alone
        )


class _Sized:
    """An iterable that knows its length, as DataLoader wants it."""

    def __init__(self, iterate: Callable[[], Iterator[list[Item]]], length: int):
        self.iterate = iterate
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[list[Item]]:
        return self.iterate()
