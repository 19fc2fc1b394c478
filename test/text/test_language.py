"""Texts against the language that a g2p reads."""

from collections import Counter

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.language import (
    LANGUAGES,
    check_language,
    check_named_languages,
    check_script,
    code_of,
    foreign_words,
    guess_language,
    language_of,
)

ENGLISH = "espeak_ng_english_us_vits"
TEXTS = {
    "en": ["The fox jumps over the lazy dog and it was good.", "He said that she was with you."],
    "de": ["Ich habe das Buch nicht gelesen, und die Frau auch nicht.", "Der Mann ist mit dem Hund im Wald."],
    "fr": ["Je ne sais pas ce que vous avez dans les mains.", "Le chat est sur la table et il dort."],
    "es": ["El gato está en la mesa y no se mueve.", "¿Qué es eso? Es una manzana de los árboles."],
    "it": ["Il gatto è sul tavolo e non si muove.", "Che cosa è questo? È una mela del giardino."],
    "ru": ["я не знаю что это такое, но он был в доме"],
    "uk": ["я не знаю що це таке, але він був у хаті та пішов"],
    "el": ["Γειά σου, τι κάνεις σήμερα;"],
    "hi": ["नमस्ते, आप कैसे हैं?"],
    "ar": ["مرحبا، كيف حالك؟"],
    "zh": ["今天天气很好", "我们去公园吧"],
    "ja": ["今日は天気がいいです", "カタカナも"],
    "ko": ["오늘은 날씨가 좋습니다"],
}
READ_BY = {
    "en": [ENGLISH, "g2p_en", "g2p_en_no_space"],
    "de": ["espeak_ng_german"],
    "fr": ["espeak_ng_french"],
    "es": ["espeak_ng_spanish"],
    "it": ["espeak_ng_italian"],
    "ru": ["espeak_ng_russian"],
    "uk": ["espeak_ng_ukrainian"],
    "el": ["espeak_ng_greek"],
    "hi": ["espeak_ng_hindi"],
    "ar": ["espeak_ng_arabic"],
    "zh": ["pypinyin_g2p", "pypinyin_g2p_phone", "pypinyin_g2p_phone_without_prosody"],
    "ja": ["pyopenjtalk", "pyopenjtalk_kana", "pyopenjtalk_prosody"],
    "ko": ["g2pk", "korean_jaso"],
}


def test_the_language_of_every_g2p_of_espnet_is_known():
    from espnet2_valle.common.espnet_imports import import_g2p_without_download

    import_g2p_without_download()
    from espnet2.text.phoneme_tokenizer import g2p_choices

    assert {language_of(choice) for choice in g2p_choices if choice} <= LANGUAGES.keys()
    assert [choice for choice in g2p_choices if choice and language_of(choice) is None] == []
    assert language_of(None) is None


@pytest.mark.parametrize("language", TEXTS)
def test_a_set_of_texts_is_read_by_the_g2p_of_its_language_alone(language):
    texts = TEXTS[language] * 5
    for code, choices in READ_BY.items():
        for g2p in choices:
            # Ideographs alone may be Japanese.
            if code == language or (code, language) == ("ja", "zh"):
                check_language(texts, g2p, "text")
                continue
            with pytest.raises(InputError) as caught:
                check_language(texts, g2p, "data/train/text")
            assert f"--g2p {g2p}" in caught.value.problem
            assert "--token_type char" in caught.value.remedy


def test_the_error_names_the_choices_for_the_language():
    with pytest.raises(
        InputError, match="'今天天气很好' is not English, .*Mandarin. Choose --g2p pypinyin_g2p or"
    ):
        check_language(TEXTS["zh"] * 10, ENGLISH, "text")
    with pytest.raises(InputError, match="German. Choose --g2p espeak_ng_german, or"):
        check_language(TEXTS["de"] * 5, ENGLISH, "text")


@pytest.mark.parametrize(
    "texts",
    [
        ["right one eight", "no yes left", "music six no"] * 20,  # no is Spanish, too
        ["naïve café, déjà vu", "El Niño and la Niña"],
        ["123", "..."],
        ["HH AH0 L OW1"] * 20,
        [],
    ],
)
def test_texts_that_tell_no_language_are_let_through(texts):
    check_language(texts, ENGLISH, "text")


@pytest.mark.parametrize("g2p", [None, "none"])
def test_where_there_is_no_g2p_all_is_read(g2p):
    check_language(TEXTS["zh"], g2p, "text")
    check_script("中文", g2p)
    assert foreign_words("中文", g2p) == []


def test_words_of_another_script_are_found():
    assert foreign_words("call 中文 and привет now", ENGLISH) == ["中文", "привет"]
    assert foreign_words("скажи hello", "espeak_ng_russian") == []  # read by espeak's English voice
    assert foreign_words("我要 hello", "pypinyin_g2p") == ["hello"]


def test_a_text_mostly_of_another_script_is_refused():
    with pytest.raises(InputError, match="prompt_text: 'привет all' is not English"):
        check_script("привет all", ENGLISH, "prompt_text")
    check_script("hello, мир", ENGLISH)


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("en", "en"),
        ("en-US", "en"),
        ("EN_gb", "en"),
        ("eng", "en"),
        ("English", "en"),
        ("cmn", "zh"),
        ("zh-CN", "zh"),
    ]
    + [("sw", "sw"), ("und", None), ("klingon", None)],
)
def test_languages_have_several_names(named, code):
    assert code_of(named) == code


def test_utterances_of_a_language_that_the_g2p_does_not_read_are_refused():
    with pytest.raises(
        InputError, match="utt2lang: 1 of 2 utterances are not English.*'u2' is 'deu'"
    ) as caught:
        check_named_languages({"u1": "en", "u2": "deu"}.items(), ENGLISH, "utt2lang")
    assert "--g2p espeak_ng_german, or --token_type char" in caught.value.remedy
    with pytest.raises(InputError, match="the --g2p of that language"):
        check_named_languages({"u1": "sw"}.items(), ENGLISH, "utt2lang")
    check_named_languages({"u1": "en_GB", "u2": "und", "u3": "english"}.items(), ENGLISH, "utt2lang")
    check_named_languages({"u1": "zh"}.items(), None, "utt2lang")


def test_few_words_tell_no_language():
    assert guess_language(Counter(["der", "die", "das", "und"])) is None
