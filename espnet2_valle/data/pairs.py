"""The fixed list of (prompt, text) pairs that a system is decoded and scored on."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.datadir import DataDir, read_scp

PAIRS = "pairs"  # list of a test set: the prompt is another recording
CONTINUATION_PAIRS = "pairs_continuation"  # list in which each target is its own prompt: its first seconds
ACROSS_PAIRS = "pairs_across"  # list in which each prompt says a text of its language and one of another
PAIR_LISTS = (PAIRS, CONTINUATION_PAIRS, ACROSS_PAIRS)
NO_OTHER = "-"  # fourth column when the set has one speaker only
PROMPT_SECONDS = 3.0  # the paper's prompts
GOOD_PROMPTS = 10  # so many of the best prompts are taken in a seeded order

# (test set, seconds of its utterances, training set) -> pairs
PairMaker = Callable[[DataDir, Mapping[str, float], DataDir | None], "list[Pair]"]


@dataclass(frozen=True)
class Pair:
    """Say the text of `target_utt` in the voice of `prompt_utt`.

    Attributes:
        pair_id: unique; names the output files.
        prompt_utt: an utterance of the target's speaker; the target itself asks for a continuation, in which
            its first seconds are the prompt.
        target_utt: gives the text to say and the reference recording.
        other_utt: an utterance of another speaker, `-` when there is none.
    """

    pair_id: str
    prompt_utt: str
    target_utt: str
    other_utt: str

    @property
    def utterances(self) -> set[str]:
        """Those that it needs."""
        return {self.prompt_utt, self.target_utt, self.other_utt} - {NO_OTHER}


def read_lines_of_pairs(path: str | Path, pairs: Iterable[Pair], where: str | Path) -> dict[str, str]:
    """Read lines `pair_id value` about some pairs of a list; `where` names the list.

    Raises:
        InputError: a line that is none, or is of no pair of the list.
    """
    lines = read_scp(path)
    known = {pair.pair_id for pair in pairs}
    stranger = next((pair_id for pair_id in lines if pair_id not in known), None)
    if stranger is not None:
        raise InputError(path, f"names '{stranger}', which is no pair of {where}", "Correct it")
    return lines


def read_pairs(path: str | Path) -> list[Pair]:
    """Read a list of pairs, four columns a line.

    Raises:
        InputError: no such file, no pair, a line without four columns, or an id given twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such list of pairs", "Run stage 1 first, or correct the path")
    pairs: dict[str, Pair] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        columns = line.split()
        if len(columns) != 4:
            raise InputError(
                f"{path}:{number}",
                f"{len(columns)} columns in place of 4",
                "Write `pair_id prompt_utt target_utt other_utt`",
            )
        if columns[0] in pairs:
            raise InputError(
                f"{path}:{number}", f"pair '{columns[0]}' is there twice", "Rename one of the two"
            )
        pairs[columns[0]] = Pair(*columns)
    if not pairs:
        raise InputError(path, "has no pair", "Run stage 1 again with a larger test set")
    return list(pairs.values())


def write_pairs(path: str | Path, pairs: Iterable[Pair]) -> None:
    """Write the list, sorted by pair id."""
    with atomic_open(path) as stream:
        for pair in sorted(pairs, key=lambda pair: pair.pair_id):
            stream.write(" ".join(astuple(pair)) + "\n")


def make_pairs(
    test: DataDir,
    durations: Mapping[str, float],
    train: DataDir | None = None,
    count: int = 216,
    seed: int = 0,
    min_prompt: float = 1.0,
    max_prompt: float = 10.0,
) -> list[Pair]:
    """Choose prompts and targets from a test set; the same arguments give the same list.

    Targets have a speaker unseen in training if there is one, and a text unseen in training if there is one.
    A prompt is another utterance of the same speaker, near 3 s. No (prompt, target) comes twice, so a
    small test set may give fewer pairs than asked for.

    Args:
        test: the test set.
        durations: seconds of each of its utterances.
        train: the training set, to tell what is unseen; None takes everything as unseen.
        count: how many pairs.
        seed: of the choice.
        min_prompt: shortest prompt in seconds.
        max_prompt: longest prompt in seconds.

    Raises:
        InputError: no pair can be made.
    """
    rng = random.Random(seed)
    utterances = test.by_speaker()
    prompts = {
        speaker: [u for u in group if min_prompt <= durations[u] <= max_prompt]
        for speaker, group in utterances.items()
    }
    near = {
        speaker: sorted(group, key=lambda u: (abs(durations[u] - PROMPT_SECONDS), u))
        for speaker, group in prompts.items()
    }
    texts = {speaker: Counter(test.texts[u] for u in group) for speaker, group in near.items()}
    ranked = {
        u: _ranked_prompts(u, test.texts, near[test.speakers[u]], texts[test.speakers[u]], rng)
        for u in _targets(test, train, rng)
    }
    chosen: list[Pair] = []
    rounds = zip_longest(*ranked.values()) if ranked else iter(())
    for number, row in enumerate(rounds):
        for target, prompt in zip(ranked, row):
            if prompt is None or len(chosen) == count:
                continue
            other = _other_utterance(test.speakers[target], prompts, utterances, rng)
            chosen.append(Pair(f"{target}_{number}", prompt, target, other))
        if len(chosen) == count:
            break
    if not chosen:
        shortest, longest = (pick(durations[u] for u in test.wavs) for pick in (min, max))
        raise InputError(
            test.path,
            "no test pair can be made: no speaker has two utterances of which one lasts "
            f"{min_prompt:g} to {max_prompt:g} s, as a prompt does (they last {shortest:.1f} to "
            f"{longest:.1f} s, {len(test.wavs)} utterances of {len(utterances)} speakers)",
            "Give the test speakers more utterances or widen --min_prompt and --max_prompt "
            '(with run.sh: --local_data_opts "--min_prompt 0.5 --max_prompt 20")',
        )
    return sorted(chosen, key=lambda pair: pair.pair_id)


def _targets(test: DataDir, train: DataDir | None, rng: random.Random) -> list[str]:
    """Utterances to say, speakers taking turns so that a cut list still has them all."""
    seen_speakers = set(train.speakers.values()) if train else set()
    seen_texts = set(train.texts.values()) if train else set()
    targets = sorted(test.wavs)
    targets = [u for u in targets if test.speakers[u] not in seen_speakers] or targets
    targets = [u for u in targets if test.texts[u] not in seen_texts] or targets
    wanted = set(targets)
    groups = [[u for u in group if u in wanted] for group in test.by_speaker().values()]
    for group in groups:
        rng.shuffle(group)
    return [u for turn in zip_longest(*groups) for u in turn if u is not None]


def _ranked_prompts(
    target: str, texts: Mapping[str, str], near: Sequence[str], counts: Mapping[str, int], rng: random.Random
) -> Iterator[str]:
    """Prompts for `target`, best first: near 3 s, not of the same text unless nothing else is there.

    Args:
        target: the utterance.
        texts: of all.
        near: prompts of its speaker, the nearest to 3 s first.
        counts: prompts of each text among them.
        rng: puts the best in order.
    """
    own = texts[target] if counts[texts[target]] < len(near) else None
    rest = (u for u in near if u != target and texts[u] != own)
    good = list(islice(rest, GOOD_PROMPTS))
    rng.shuffle(good)
    return chain(good, rest)


def _other_utterance(
    speaker: str,
    prompts: Mapping[str, Sequence[str]],
    utterances: Mapping[str, Sequence[str]],
    rng: random.Random,
) -> str:
    """A seeded utterance of another speaker, of prompt length if one has such, or `-`."""
    others = [other for other in utterances if other != speaker]
    if not others:
        return NO_OTHER
    other = rng.choice(others)
    return rng.choice(prompts[other] or utterances[other])


@dataclass(frozen=True)
class PairChoice:
    """A `PairMaker` that draws pairs with `make_pairs`.

    Attributes:
        num_pairs: wanted; a warning tells where the test set gives fewer.
        seed: of the drawing.
        min_prompt, max_prompt: seconds of a prompt.
    """

    num_pairs: int = 216
    seed: int = 0
    min_prompt: float = 1.0
    max_prompt: float = 10.0

    def __call__(self, test: DataDir, durations: Mapping[str, float], train: DataDir | None) -> list[Pair]:
        """Draw pairs of a test set.

        Raises:
            InputError: see `make_pairs`.
        """
        pairs = make_pairs(
            test, durations, train, self.num_pairs, self.seed, self.min_prompt, self.max_prompt
        )
        if len(pairs) < self.num_pairs:
            logging.warning("the test set gives %d pairs, not %d", len(pairs), self.num_pairs)
        return pairs
