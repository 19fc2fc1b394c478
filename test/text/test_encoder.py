"""Texts as a model reads them."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.encoder import TextEncoder
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.text.unknown import name_words, unknown_words

TOKENS = ["<blank>", "<unk>", "<space>", "a", "b", "<sos/eos>"]


def test_a_text_becomes_the_ids_of_its_tokens():
    encoder = TextEncoder(TOKENS, "char")
    assert encoder.text2tokens("a b") == ["a", "<space>", "b"]
    assert encoder.encode("a bx") == [3, 2, 4, 1]


def test_a_text_of_unknown_symbols_is_named():
    with pytest.raises(InputError, match="prompt_text: text 'xyz' has no symbol that the model knows"):
        TextEncoder(TOKENS, "char").encode("xyz", "prompt_text")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (None, "None is no text"),
        ("a\x00b", r"is U\+0000"),
        ("...", "'...' has nothing to say"),
        ("— ?!", "has nothing to say"),
        ("привет", "'привет' is not English"),
    ],
)
def test_a_text_that_cannot_be_said_is_refused(text, message):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    with pytest.raises(InputError, match=f"^text: .*{message}"):
        TextEncoder(TOKENS, "phn", "espeak_ng_english_us_vits").encode(text)


def test_words_that_were_never_learnt_are_told_with_their_phones():
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    learnt = ["<space>", *"ˈsːntɪəkʊpuoɛɹlvadfɑjwzimæeθɔˌhɡʌð"]
    encoder = TextEncoder(["<blank>", "<unk>", *learnt, "<sos/eos>"], "phn", "espeak_ng_english_us_vits")
    assert encoder.unknown("seven two nine") == {}
    assert encoder.unknown("measure the joy, 中文") == {
        "measure": "ʒ ɚ",
        "joy,": "ʒ ,",
        "中文": "letters that the g2p does not read",
    }


def test_tokens_of_no_single_word_stand_for_themselves():
    class Joining:
        def text2tokens(self, line):
            return ["a", *(["liaison"] if " " in line else [])]

    known = TokenIDs(["<unk>", "a"])
    assert unknown_words("a a", ["a", "liaison"], Joining(), known) == {"liaison": "liaison"}
    assert name_words({str(n): "x" for n in range(12)}).endswith("'9' (x) and 2 more")
