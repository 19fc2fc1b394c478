"""Pairs that cross languages: every prompt once, texts of others by turns."""

from collections import Counter

from espnet2_valle.data.pairs import Pair
from espnet2_valle.data.pairs_across import with_pairs_across

LANGUAGES = {f"{language}{n}": language for language in ("de", "en", "zh") for n in range(6)}


def within(language, count=4):
    return [Pair(f"{language}{n}_0", f"{language}{5}", f"{language}{n}", "-") for n in range(count)]


def test_each_prompt_says_a_text_of_another_language_too():
    pairs = [*within("en"), *within("zh"), *within("de")]
    both = with_pairs_across(pairs, LANGUAGES)
    assert both[: len(pairs)] == pairs
    across = both[len(pairs) :]
    assert [pair.prompt_utt for pair in across] == [pair.prompt_utt for pair in pairs]
    spoken = [(LANGUAGES[pair.prompt_utt], LANGUAGES[pair.target_utt]) for pair in across]
    assert all(prompt != text for prompt, text in spoken)
    assert set(Counter(spoken).values()) == {2}  # four prompts of each language, two others
    assert {pair.pair_id for pair in across} == {
        f"{pair.pair_id}_{LANGUAGES[other.target_utt]}" for pair, other in zip(pairs, across)
    }
    assert len({pair.pair_id for pair in both}) == len(both)
    assert with_pairs_across(pairs, LANGUAGES) == both != with_pairs_across(pairs, LANGUAGES, seed=1)


def test_few_texts_come_more_than_once():
    across = with_pairs_across([*within("en"), *within("zh", 1)], LANGUAGES)[5:]
    assert [pair.target_utt for pair in across[:4]] == ["zh0"] * 4


def test_one_language_has_none():
    assert with_pairs_across(within("en"), LANGUAGES) == []
