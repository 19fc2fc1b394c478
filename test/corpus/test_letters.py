import pytest

from espnet2_valle.asr.normalise import NORMALISERS
from espnet2_valle.corpus.letters import as_letters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rubout a g seven", "rubout a- g seven"),
        ("a A a", "a- A- a-"),
        ("m a r i a", "m a- r i a-"),
        ("an area a-b a's", "an area a-b a's"),
        ("", ""),
    ],
)
def test_a_lone_a_is_marked_as_a_letter(text, expected):
    assert as_letters(text) == expected


def test_scorers_read_what_was_written():
    assert NORMALISERS["basic"](as_letters("m a r y")) == "m a r y"


def test_espeak_says_the_name_of_the_letter():
    pytest.importorskip("espeakng_loader")
    from espnet2_valle.text.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(token_type="phn", g2p="espeak_ng_english_us_vits", cleaner="none")
    name = tokenizer.text2tokens("a")  # by itself it is the letter
    article = tokenizer.text2tokens("m a y")
    letter = tokenizer.text2tokens(as_letters("m a y"))
    around = tokenizer.text2tokens("m y")
    place = around.index("<space>")
    assert letter == [*around[:place], "<space>", *name, *around[place:]]
    assert article != letter
