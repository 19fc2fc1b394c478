"""Recordings -> training, validation and test sets, and the vocabulary of a closed task."""

import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.data.utterances import Utterance

Splits = dict[str, list[Utterance]]
IsPrompt = Callable[[Utterance], bool]

MIN_SPEAKERS_TO_HOLD_OUT = 4  # with fewer, a voice held out would leave nothing to learn voices from
MIN_TEXTS_TO_HOLD_OUT = 20  # with fewer, every text is needed for training
MIN_LEFT = 3  # of a speaker's utterances in training, one goes to the test and one to the validation
MIN_RECORDINGS = MIN_LEFT + 1  # of a speaker, for a test of known speakers
MIN_WORD_COUNT = 10  # a closed vocabulary is heard so often on average, a word


def read_splits(
    db: str | Path,
    num_test_speakers: int | None = None,
    test_share: float = 0.1,
    valid_share: float = 0.05,
    max_bad: float = 0.0,
    seed: int = 0,
    is_prompt: IsPrompt = lambda _: True,
) -> Splits:
    """Read a corpus; keep the splits it has and make those it lacks.

    Args:
        db: a folder with train/ and test/ (and valid/) in it, or one set.
        num_test_speakers: of one set, how many whole speakers go to the test; 0 splits by text;
            None decides: a tenth, at least 2, or 0 if there are fewer than 4 speakers, or if that would take
            most of the recordings.
        test_share: of one set split by text, the share of utterances for the test.
        valid_share: the share of the training utterances for validation, if there is no valid/.
        max_bad: the share of bad entries that is left out with a warning.
        seed: of what is held out.
        is_prompt: tells recordings that can serve as a prompt; a test set has one, if any speaker has.

    Returns:
        {"train": ..., "valid": ..., "test": ...}, none empty.

    Raises:
        InputError: what `read_folder` raises, or a set too small to split.
    """
    db = Path(db)
    rng = random.Random(seed)
    given = [name for name in ("train", "valid", "test") if (db / name).is_dir()]
    if "train" in given and "test" in given:
        splits = {name: read_folder(db / name, max_bad) for name in given}
    elif given and not (db / "wav.scp").is_file() and not (db / "metadata.csv").is_file():
        raise InputError(
            db, f"has {' and '.join(given)}/ but not both train/ and test/", "Add the other, or give one set"
        )
    else:
        recordings = read_folder(db, max_bad)
        splits = _split_test(recordings, num_test_speakers, test_share, db, rng, is_prompt)
    if "valid" not in splits:
        splits["train"], splits["valid"] = hold_out_texts(splits["train"], valid_share, rng)
    for name in ("train", "valid", "test"):
        if not splits[name]:
            raise InputError(
                db, f"too few recordings: none is left for the {name} set", "Give more recordings"
            )
    return _with_unique_ids({name: splits[name] for name in ("train", "valid", "test")})


def closed_vocabulary(splits: Splits, max_words: int = 100) -> list[str] | None:
    """The words of the corpus if it has but few, each often, and only training has all; else None."""
    training = Counter(word for r in splits["train"] + splits["valid"] for word in words_of(r.text))
    learnt = {word for r in splits["train"] for word in words_of(r.text)}
    others = {word for r in splits["valid"] + splits["test"] for word in words_of(r.text)}
    often = sum(training.values()) >= MIN_WORD_COUNT * len(training)
    if not training or len(training) > max_words or not often or not others <= learnt:
        return None
    return sorted(training)


def words_of(text: str) -> list[str]:
    """Words of a text in lower case without punctuation."""
    return re.findall(r"\w+(?:'\w+)*", text.lower())


def _split_test(
    recordings: Sequence[Utterance],
    num_speakers: int | None,
    share: float,
    db: Path,
    rng: random.Random,
    is_prompt: IsPrompt,
) -> Splits:
    speakers = sorted({r.speaker for r in recordings})
    wanted = num_speakers
    if wanted is None:
        enough = len(speakers) >= MIN_SPEAKERS_TO_HOLD_OUT
        wanted = max(2, round(len(speakers) / 10)) if enough else 0
    if wanted >= len(speakers):
        raise InputError(
            "--num_test_speakers",
            f"{wanted} of the {len(speakers)} speakers of {db}",
            "Leave some for training",
        )
    if wanted:
        held_out = _held_out_speakers(recordings, wanted, rng, is_prompt)
        train = [r for r in recordings if r.speaker not in held_out]
        test = [r for r in recordings if r.speaker in held_out]
        if num_speakers is not None or 2 * len(train) >= len(recordings):
            _check_pair(test, recordings, db)
            logging.info("test set: the speakers %s", " ".join(sorted(held_out)))
            return {"train": train, "test": test}
    train, test = with_prompts(*hold_out_texts(recordings, share, rng), is_prompt)
    _check_pair(test, recordings, db)
    logging.info("test set: %d utterances with texts of their own, all speakers known", len(test))
    return {"train": train, "test": test}


def _check_pair(test: Sequence[Utterance], recordings: Sequence[Utterance], db: Path) -> None:
    """Raise InputError if no speaker has two recordings in the test set."""
    if _speakers_with_two(test):
        return
    most = max(Counter(r.speaker for r in recordings).values())
    raise InputError(
        db,
        f"{len(recordings)} recordings, at most {most} of a speaker: too few for a test, which needs a "
        "prompt and another recording of its speaker, beside some for training and validation",
        f"Give one speaker {MIN_RECORDINGS} recordings or more; if they are of one speaker, say so in "
        "the speaker column of metadata.csv",
    )


def _held_out_speakers(
    recordings: Sequence[Utterance], count: int, rng: random.Random, is_prompt: IsPrompt
) -> set[str]:
    """So many speakers, drawn; at least one with a prompt and another recording, if there is any."""
    groups: dict[str, list[Utterance]] = {}
    for recording in recordings:
        groups.setdefault(recording.speaker, []).append(recording)

    def gives_pair(speaker: str) -> bool:
        return len(groups[speaker]) > 1 and any(map(is_prompt, groups[speaker]))

    held_out = set(rng.sample(sorted(groups), count))
    if not any(map(gives_pair, sorted(held_out))):
        with_two = _speakers_with_two(recordings)
        other = next(filter(gives_pair, with_two), None) or next(iter(with_two), None)
        held_out = {*sorted(held_out)[1:], other} if other is not None else held_out
    return held_out


def _speakers_with_two(recordings: Sequence[Utterance]) -> list[str]:
    counts = Counter(r.speaker for r in recordings)
    return sorted(speaker for speaker, count in counts.items() if count > 1)


def with_prompts(
    train: Sequence[Utterance], test: Sequence[Utterance], is_prompt: IsPrompt
) -> tuple[list[Utterance], list[Utterance]]:
    """Give a small test set what it lacks for a prompt and another recording of the same speaker.

    Where no recording can be a prompt, it gets two of a speaker all the same: whoever makes pairs tells why.

    Args:
        train: from which it is taken, if the speaker keeps some there.
        test: the test set; one with a prompt stays as it is.
        is_prompt: tells recordings that can be one.

    Returns:
        both sets.
    """
    train, test = list(train), list(test)
    two = {*_speakers_with_two(test)}
    if any(r.speaker in two and is_prompt(r) for r in test):
        return train, test
    left, tested = Counter(r.speaker for r in train), Counter(r.speaker for r in test)
    texts = Counter(r.text for r in train)
    without_prompt: list[Utterance] = []
    for speaker in sorted(left, key=lambda name: (name in tested, left[name], name), reverse=True):
        missing = max(1, 2 - tested[speaker])
        if left[speaker] - missing < MIN_LEFT - 1:
            continue
        # Rather those whose texts nobody else says.
        others = sorted(
            (r for r in train if r.speaker == speaker), key=lambda r: (texts[r.text], r.utterance)
        )
        more = others[:missing]
        if not any(is_prompt(r) for r in [*more, *test] if r.speaker == speaker):
            prompt = next(filter(is_prompt, others), None)
            if prompt is None:
                without_prompt = without_prompt or more
                continue
            more[-1] = prompt
        return [r for r in train if r not in more], [*test, *more]
    more = [] if two else without_prompt
    return [r for r in train if r not in more], [*test, *more]


def hold_out_texts(
    recordings: Sequence[Utterance], share: float, rng: random.Random
) -> tuple[list[Utterance], list[Utterance]]:
    """(kept, held out): about `share` of the utterances, no text in both (unless there are few texts)."""
    texts = sorted({r.text for r in recordings})
    wanted = max(1, round(share * len(recordings)))
    if len(texts) < MIN_TEXTS_TO_HOLD_OUT:
        chosen = set(rng.sample(range(len(recordings)), min(wanted, len(recordings))))
        return (
            [r for n, r in enumerate(recordings) if n not in chosen],
            [r for n, r in enumerate(recordings) if n in chosen],
        )
    counts = Counter(r.text for r in recordings)
    rng.shuffle(texts)
    held_out: set[str] = set()
    size = 0
    for text in texts:
        if size >= wanted:
            break
        held_out.add(text)
        size += counts[text]
    return [r for r in recordings if r.text not in held_out], [r for r in recordings if r.text in held_out]


def _with_unique_ids(splits: Splits) -> Splits:
    """An id that an earlier set has too gets the name of its own set."""
    taken: set[str] = set()
    unique: Splits = {}
    for name, recordings in splits.items():
        unique[name] = [
            r._replace(utterance=f"{r.utterance}-{name}") if r.utterance in taken else r for r in recordings
        ]
        taken |= {r.utterance for r in unique[name]}
    return unique
