from collections import Counter

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.split import closed_vocabulary, read_splits, words_of
from espnet2_valle.data.utterances import Utterance


def write_set(db, rows):
    """rows: (id, speaker, text)"""
    db.mkdir(parents=True)
    for name, _, _ in rows:
        (db / f"{name}.wav").touch()
    table = "\n".join("|".join(row) for row in rows)
    (db / "metadata.csv").write_text(f"id|speaker|text\n{table}\n")


def many(speakers, utterances, text="text {n}"):
    return [(f"{s}_{n}", s, text.format(n=n, s=s)) for s in speakers for n in range(utterances)]


def speakers_of(recordings):
    return {recording.speaker for recording in recordings}


def texts_of(recordings):
    return {recording.text for recording in recordings}


def test_given_splits_are_kept_and_validation_is_held_out_of_training(tmp_path):
    write_set(tmp_path / "db" / "train", many("ab", 40, "{s} {n}"))
    write_set(tmp_path / "db" / "test", many("c", 5))
    splits = read_splits(tmp_path / "db", valid_share=0.1)
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [72, 8, 5]
    assert not texts_of(splits["train"]) & texts_of(splits["valid"])


def test_a_given_validation_set_is_taken(tmp_path):
    for name, speaker in (("train", "a"), ("valid", "b"), ("test", "c")):
        write_set(tmp_path / name, many(speaker, 3))
    splits = read_splits(tmp_path)
    assert [speakers_of(splits[name]) for name in ("train", "valid", "test")] == [{"a"}, {"b"}, {"c"}]


def test_ids_that_two_sets_share_are_made_unique(tmp_path):
    for name in ("train", "test"):
        write_set(tmp_path / name, many("a", 4))
    splits = read_splits(tmp_path)
    ids = [recording.utterance for recordings in splits.values() for recording in recordings]
    assert len(set(ids)) == len(ids) == 8
    assert {recording.utterance for recording in splits["test"]} == {f"a_{n}-test" for n in range(4)}


def test_one_set_of_many_speakers_holds_out_whole_speakers(tmp_path):
    write_set(tmp_path / "db", many("abcdefgh", 10, "{s} {n}"))
    splits = read_splits(tmp_path / "db")
    assert len(speakers_of(splits["test"])) == 2
    assert not speakers_of(splits["test"]) & speakers_of(splits["train"] + splits["valid"])
    assert sum(map(len, splits.values())) == 80
    three = read_splits(tmp_path / "db", num_test_speakers=3)
    assert len(speakers_of(three["test"])) == 3
    assert read_splits(tmp_path / "db") == splits
    assert any(read_splits(tmp_path / "db", seed=seed)["test"] != splits["test"] for seed in range(1, 5))


@pytest.mark.parametrize("speakers", ["a", "ab"])
def test_one_set_of_few_speakers_is_split_by_text(tmp_path, speakers):
    rows = many(speakers, 40) + [(f"{s}_again{n}", s, f"text {n}") for s in speakers for n in range(40)]
    write_set(tmp_path / "db", rows)
    splits = read_splits(tmp_path / "db", test_share=0.2)
    assert not texts_of(splits["test"]) & texts_of(splits["train"] + splits["valid"])
    assert speakers_of(splits["test"]) == set(speakers)
    assert 0.2 <= len(splits["test"]) / len(rows) < 0.3


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (many("abc", 5), {"num_test_speakers": 3}, "3 of the 3 speakers"),
        (many("a", 1), {}, "1 recordings, at most 1 of a speaker: too few for a test"),
        (many("a", 3), {}, "3 recordings, at most 3 of a speaker: .* Give one speaker 4 recordings or more"),
        (many("abcdefghij", 1), {}, "10 recordings, at most 1 of a speaker"),
        (many("ab", 2), {}, "4 recordings, at most 2 of a speaker"),
        (
            many("abc", 1),
            {},
            "at most 1 of a speaker.* if they are of one speaker, say so in the speaker column",
        ),
    ],
)
def test_a_set_too_small_to_split_is_named(tmp_path, rows, arguments, message):
    write_set(tmp_path / "db", rows)
    with pytest.raises(InputError, match=message):
        read_splits(tmp_path / "db", **arguments)


def test_train_without_test_is_named(tmp_path):
    write_set(tmp_path / "train", many("a", 4))
    with pytest.raises(InputError, match="has train/ but not both"):
        read_splits(tmp_path)


def spoken(text, copies=1):
    return [Utterance(f"u{n}", "a", text, "u.wav") for n in range(copies)]


def test_few_words_often_are_a_closed_vocabulary():
    splits = {"train": spoken("Two one, don't!", 10), "valid": spoken("one"), "test": spoken("one two")}
    assert closed_vocabulary(splits) == ["don't", "one", "two"]


@pytest.mark.parametrize(
    ("train", "test", "max_words"),
    [
        (spoken("one two", 10), spoken("three"), 100),  # the test has another word
        (spoken("one two", 9), spoken("one"), 100),  # too seldom to be sure
        (spoken("one two three", 30), spoken("one"), 2),  # too many
        (spoken("..."), spoken("..."), 100),  # no word
    ],
)
def test_other_corpora_have_none(train, test, max_words):
    assert closed_vocabulary({"train": train, "valid": [], "test": test}, max_words) is None


def test_words_are_lower_case_without_punctuation():
    assert words_of("Hello, World's -- end.") == ["hello", "world's", "end"]


@pytest.mark.parametrize("count", [10, 20, 50])
@pytest.mark.parametrize("speakers", ["a", "ab", "abc", "abcdefghij"])
@pytest.mark.parametrize("text", ["{s} {n}", "the same"])
def test_a_small_corpus_has_a_prompt_in_its_test_set(tmp_path, count, speakers, text):
    per_speaker = -(-count // len(speakers)) + (len(speakers) == 10 and count == 10)
    write_set(tmp_path / "db", many(speakers, per_speaker, text))
    for seed in range(5):
        splits = read_splits(tmp_path / "db", seed=seed)
        assert max(Counter(r.speaker for r in splits["test"]).values()) > 1
        assert all(splits.values())
        ids = [r.utterance for recordings in splits.values() for r in recordings]
        assert len(ids) == len(set(ids)) == per_speaker * len(speakers)
        assert len(splits["train"]) >= len(ids) / 2


def test_held_out_speakers_have_a_prompt_if_any_speaker_has(tmp_path):
    write_set(tmp_path / "db", many("abcdefgh", 1, "{s} {n}") + many("x", 2, "{s} {n}"))
    for seed in range(5):
        assert "x" in speakers_of(read_splits(tmp_path / "db", seed=seed)["test"])


def test_a_speaker_who_says_little_is_not_taken_out_of_training(tmp_path):
    write_set(tmp_path / "db", many("a", 20, "{s} {n}") + many("b", 3, "{s} {n}"))
    for seed in range(20):
        splits = read_splits(tmp_path / "db", seed=seed)
        assert max(Counter(r.speaker for r in splits["test"]).values()) > 1
        assert len([r for r in splits["train"] + splits["valid"] if r.speaker == "b"]) >= 1


def test_speakers_of_one_recording_leave_the_pair_to_others(tmp_path):
    write_set(tmp_path / "db", many("a", 9, "{s} {n}") + many("b", 1, "{s} {n}"))
    for seed in range(20):
        splits = read_splits(tmp_path / "db", seed=seed)
        assert Counter(r.speaker for r in splits["test"])["a"] > 1
        assert len(splits["train"]) >= 5


def test_the_one_speaker_who_says_most_stays_in_training(tmp_path):
    write_set(tmp_path / "db", many("a", 40, "{s} {n}") + many("bcdefghijk", 1, "{s} {n}"))
    for seed in range(10):
        splits = read_splits(tmp_path / "db", seed=seed)
        assert len(splits["train"]) >= 25
        assert Counter(r.speaker for r in splits["test"])["a"] > 1


@pytest.mark.parametrize("speakers", ["a", "ab", "abcde"])
@pytest.mark.parametrize("count", [10, 20, 50])
def test_recordings_too_short_for_a_prompt_are_not_all_that_a_test_has(tmp_path, speakers, count):
    write_set(tmp_path / "db", many(speakers, max(2, count // len(speakers)), "{s} {n}"))
    prompts = {f"{speakers[-1]}_{n}" for n in (0, 1)}

    def is_prompt(recording):
        return recording.utterance in prompts

    for seed in range(10):
        test = read_splits(tmp_path / "db", seed=seed, is_prompt=is_prompt)["test"]
        assert [r for r in test if is_prompt(r)]
        assert max(Counter(r.speaker for r in test if r.speaker == speakers[-1]).values()) > 1


@pytest.mark.parametrize("count", [4, 10, 30])
def test_without_any_prompt_two_of_a_speaker_are_there_so_that_the_pairs_tell_why(tmp_path, count):
    write_set(tmp_path / "db", many("a", count, "{s} {n}"))
    splits = read_splits(tmp_path / "db", is_prompt=lambda _: False)
    assert len(splits["test"]) >= 2
    assert sum(map(len, splits.values())) == count


def test_a_word_that_training_never_says_makes_no_closed_vocabulary():
    splits = {"train": spoken("one two", 30), "valid": spoken("three"), "test": spoken("one")}
    assert closed_vocabulary(splits) is None
