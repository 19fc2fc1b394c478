"""One list of tokens for several languages."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.encoder import TextEncoder
from espnet2_valle.text.multilingual import check_names, choices_by_language
from espnet2_valle.text.tokenizer import build_tokenizer, check_text, tokenize
from espnet2_valle.text.tokens import TokenIDs

G2P = "en=espeak_ng_english_us_vits de=espeak:de zh=pypinyin_g2p_phone"


@pytest.fixture(autouse=True)
def espeak():
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")


def test_an_option_names_the_g2p_of_each_language():
    assert list(choices_by_language(G2P)) == ["en", "de", "zh"]
    assert choices_by_language("English=g2p_en_no_space deu=espeak_ng_german") == {
        "en": "g2p_en_no_space",
        "de": "espeak_ng_german",
    }
    assert choices_by_language("espeak_ng_german") == choices_by_language(None) == {}


@pytest.mark.parametrize(
    ("g2p", "message"),
    [
        ("en=espeak_ng_german", "'en=espeak_ng_german': espeak_ng_german reads 'de'"),
        ("en=g2p_en en=espeak:en-us", "language 'en' has two"),
        ("en= de=espeak:de", "'en=' is no language with its g2p"),
        ("en=g2p_en espeak:de", "'espeak:de' is no language with its g2p"),
        ("en=klingon", "unknown value 'klingon'"),
        ("en=espeak:xx", "--g2p espeak:xx: espeak-ng has no such voice"),
    ],
)
def test_what_is_no_g2p_of_a_language_is_refused(g2p, message):
    with pytest.raises(InputError, match=message):
        build_tokenizer("phn", g2p)


def test_a_cleaner_is_for_one_language():
    with pytest.raises(InputError, match="--cleaner tacotron: is for texts of one language"):
        build_tokenizer("phn", G2P, "tacotron")


def test_each_language_is_read_by_its_g2p():
    tokenizer = build_tokenizer("phn", G2P)
    english = build_tokenizer("phn", "espeak_ng_english_us_vits").text2tokens("seven two")
    pinyin = build_tokenizer("phn", "pypinyin_g2p_phone").text2tokens("你好")
    assert tokenizer.text2tokens("seven two") == english
    assert tokenizer.text2tokens("<lang=zh>你好</lang>") == pinyin
    assert tokenizer.text2tokens("seven two <lang=zh>你好</lang>") == [*english, "<space>", *pinyin]
    assert tokenizer.text2tokens("<lang=zh>你 好</lang>") == ["n", "i3", "<space>", "h", "ao3"]
    german = tokenizer.text2tokens("<lang=de>Schöne neun</lang>")
    assert {"<space>", "ø"} < set(german)
    assert all(len(token) == 1 for token in german if token != "<space>")


def test_a_script_that_the_language_is_not_written_in_is_refused():
    assert tokenize("<lang=zh>你好</lang>", ("phn", G2P, None, None))
    with pytest.raises(InputError, match="'你好' is not German"):
        check_text("<lang=de>你好</lang>", "phn", G2P)
    with pytest.raises(InputError, match="character 1: 'fr' is none of the languages"):
        check_text("<lang=fr>un</lang>", "phn", G2P)
    with pytest.raises(InputError, match="has markup"):
        check_text("<lang=de>eins</lang>", "phn", "espeak_ng_german")


def test_the_language_of_each_token_is_told():
    tokens = TokenIDs.collect([build_tokenizer("phn", G2P).text2tokens("one <lang=zh>你好</lang>")]).tokens
    encoder = TextEncoder(tokens, "phn", G2P)
    text = "one <lang=zh>你好</lang>"
    languages = encoder.languages_of(text, "en")
    assert len(languages) == len(encoder.encode(text))
    assert languages == ["en"] * 4 + ["zh"] * 5
    assert encoder.languages == ("en", "de", "zh")
    assert TextEncoder(tokens, "phn", "espeak_ng_german").languages == ("de",)
    assert TextEncoder(tokens, "char").languages == ()
    assert TextEncoder(tokens, "char").languages_of("ab", "de") == ["de", "de"]


def test_words_that_were_never_learnt_are_told_by_language():
    learnt = TokenIDs.collect([build_tokenizer("phn", G2P).text2tokens("one <lang=zh>你好</lang>")]).tokens
    unknown = TextEncoder(learnt, "phn", G2P).unknown("one <lang=zh>世</lang> <lang=de>null</lang>")
    assert unknown == {"世": "sh i4", "null": "ˈ ʊ l"}
    # The space is that of all languages.
    assert TextEncoder(learnt, "phn", G2P).unknown("one <lang=zh>你 好 世</lang>") == {"世": "sh i4"}


def test_a_language_without_g2p_is_refused():
    check_names({"u1": "eng", "u2": "zh", "u3": "German"}.items(), G2P, "utt2lang")
    with pytest.raises(InputError, match="1 utterances are of no language that --g2p names .*'u2' is 'pl'"):
        check_names({"u1": "en", "u2": "pl"}.items(), G2P, "utt2lang")
    with pytest.raises(InputError, match="are not English"):
        check_names({"u1": "pl"}.items(), "espeak_ng_english_us_vits", "utt2lang")
