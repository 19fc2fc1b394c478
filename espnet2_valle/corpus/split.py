"""Recordings -> training, validation and test sets, and the vocabulary of a closed task."""

import logging
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.corpus.recording import Recording

Splits = dict[str, list[Recording]]

MIN_SPEAKERS_TO_HOLD_OUT = 4  # with fewer, a voice held out would leave nothing to learn voices from
MIN_TEXTS_TO_HOLD_OUT = 20  # with fewer, every text is needed for training
MIN_LEFT = 3  # of a speaker's utterances in training, one goes to the test and one to the validation
MIN_WORD_COUNT = 10  # a closed vocabulary is heard so often on average, a word


def read_splits(
    db: str | Path,
    num_test_speakers: int | None = None,
    test_share: float = 0.1,
    valid_share: float = 0.05,
    max_bad: float = 0.0,
    seed: int = 0,
) -> Splits:
    """Read a corpus; keep the splits it has and make those it lacks.

    Args:
        db: a folder with train/ and test/ (and valid/) in it, or one set.
        num_test_speakers: of one set, how many whole speakers go to the test; 0 splits by text;
            None decides: a tenth, at least 2, or 0 if there are fewer than 4 speakers.
        test_share: of one set split by text, the share of utterances for the test.
        valid_share: the share of the training utterances for validation, if there is no valid/.
        max_bad: the share of bad entries that is left out with a warning.
        seed: of what is held out.

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
        splits = _split_test(read_folder(db, max_bad), num_test_speakers, test_share, db, rng)
    if "valid" not in splits:
        splits["train"], splits["valid"] = hold_out_texts(splits["train"], valid_share, rng)
    for name in ("train", "valid", "test"):
        if not splits[name]:
            raise InputError(
                db, f"too few recordings: none is left for the {name} set", "Give more recordings"
            )
    return _with_unique_ids({name: splits[name] for name in ("train", "valid", "test")})


def closed_vocabulary(splits: Splits, max_words: int = 100) -> list[str] | None:
    """The words of the corpus if it has but few, each often, and the test adds none; else None."""
    training = Counter(word for r in splits["train"] + splits["valid"] for word in words_of(r.text))
    testing = {word for r in splits["test"] for word in words_of(r.text)}
    often = sum(training.values()) >= MIN_WORD_COUNT * len(training)
    if not training or len(training) > max_words or not often or not testing <= training.keys():
        return None
    return sorted(training)


def words_of(text: str) -> list[str]:
    """Words of a text in lower case without punctuation."""
    return re.findall(r"\w+(?:'\w+)*", text.lower())


def _split_test(
    recordings: Sequence[Recording], num_speakers: int | None, share: float, db: Path, rng: random.Random
) -> Splits:
    speakers = sorted({r.speaker for r in recordings})
    if num_speakers is None:
        enough = len(speakers) >= MIN_SPEAKERS_TO_HOLD_OUT
        num_speakers = max(2, round(len(speakers) / 10)) if enough else 0
    if num_speakers >= len(speakers):
        raise InputError(
            "--num_test_speakers",
            f"{num_speakers} of the {len(speakers)} speakers of {db}",
            "Leave some for training",
        )
    if num_speakers == 0:
        train, test = with_prompts(*hold_out_texts(recordings, share, rng))
        logging.info("test set: %d utterances with texts of their own, all speakers known", len(test))
    else:
        held_out = set(rng.sample(speakers, num_speakers))
        counts = Counter(r.speaker for r in recordings)
        with_prompt = sorted(speaker for speaker in speakers if counts[speaker] > 1)
        if with_prompt and held_out.isdisjoint(with_prompt):
            held_out = {*sorted(held_out)[1:], with_prompt[0]}
        train = [r for r in recordings if r.speaker not in held_out]
        test = [r for r in recordings if r.speaker in held_out]
        logging.info("test set: the speakers %s", " ".join(sorted(held_out)))
    return {"train": train, "test": test}


def with_prompts(
    train: Sequence[Recording], test: Sequence[Recording]
) -> tuple[list[Recording], list[Recording]]:
    """Give a small test set a second utterance of a speaker, without which it has no prompt for any.

    Args:
        train: from which it is taken, if the speaker keeps some there.
        test: the test set; one with a prompt stays as it is.

    Returns:
        both sets.
    """
    train, test = list(train), list(test)
    if not test or max(Counter(r.speaker for r in test).values()) > 1:
        return train, test
    left = Counter(r.speaker for r in train)
    speaker = max({r.speaker for r in test}, key=lambda name: (left[name], name))
    if left[speaker] < MIN_LEFT:
        return train, test
    texts = Counter(r.text for r in train)
    second = min(
        (r for r in train if r.speaker == speaker), key=lambda r: (texts[r.text], r.utterance)
    )  # rather one whose text nobody else says
    return [r for r in train if r is not second], [*test, second]


def hold_out_texts(
    recordings: Sequence[Recording], share: float, rng: random.Random
) -> tuple[list[Recording], list[Recording]]:
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
            replace(r, utterance=f"{r.utterance}-{name}") if r.utterance in taken else r for r in recordings
        ]
        taken |= {r.utterance for r in unique[name]}
    return unique
