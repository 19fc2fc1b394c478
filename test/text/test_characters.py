"""Characters that people paste into texts."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.characters import check_characters, check_markup, check_said, normalise, show


@pytest.mark.parametrize("bad", ["\x00", "\x07", "\x1b", "\x7f", "\x9f", "\ufffd", "\ue000"])
def test_what_is_no_writing_is_refused_and_named(bad):
    with pytest.raises(InputError) as caught:
        check_characters(f"ab{bad}c", "--text")
    assert f"--text: character 3 is U+{ord(bad):04X}, which is no writing" in str(caught.value)
    assert str(caught.value).encode("utf-8")  # it can be printed


@pytest.mark.parametrize(
    "text", ["a\tb\nc\r\n", "naïve — “quoted” 😀", "हिन्दी\u200d", "中文，日本語。", "", "\u2028"]
)
def test_writing_of_all_kinds_is_let_through(text):
    check_characters(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ｈｅｌｌｏ　１２", "Hello 12"),
        ("cafe\u0301", "café"),
        ("ﬁne oﬃce", "fine office"),
        ("ｶﾞｽ", "ガス"),
        ("10² and 1½", "10² and 1½"),
        ("don’t don´t donʼt", "don't don't don't"),
        ("‘quoted’", "‘quoted’"),
        ("so\u00adft\u200b hy\ufeffphen\u2066", "soft hyphen"),
        ("a\u00a0b\u2009c\td\n e", "a b c d e"),
        ("№ 5…", "No 5..."),
        ("seven two nine", "seven two nine"),
        ("so 😀👍🏽 much ❤️!", "so much !"),
        ("🇩🇪👩‍👩‍👧 1️⃣", "1"),
        ("20 °C © ™ ½ π ≥ 2", "20 °C © ™ ½ π ≥ 2"),
    ],
)
def test_what_looks_alike_is_written_alike(text, wanted):
    assert normalise(text) == wanted
    assert normalise(wanted) == wanted


@pytest.mark.parametrize(
    "text", ["<speak>hello</speak>", "so <break time='1s'/> what", "well <noise> yes", "a </b> c"]
)
def test_markup_is_refused_since_it_would_be_read(text):
    with pytest.raises(InputError, match="--text: has markup, which would be read as words: '<"):
        check_markup(text, "--text")


@pytest.mark.parametrize("text", ["2 < 3 and 4 > 1", "a <- b", "<3", "x<y", ">> quoted"])
def test_other_angles_are_no_markup(text):
    check_markup(text)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u00a0", None, 7])
def test_a_text_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="--text: .*Give something to say"):
        check_said(text, "--text")


def test_a_text_is_shown_short_and_on_one_line():
    assert show("a\nb\x00") == "'a\\u000ab\\u0000'"
    assert len(show("a" * 100)) == 62


def test_bytes_that_are_no_utf8_are_refused_by_a_message_that_can_be_printed():
    text = b"caf\xe9".decode("utf-8", errors="surrogateescape")  # as the command line gives it
    with pytest.raises(InputError, match=r"character 4 is U\+DCE9") as caught:
        check_characters(text)
    assert str(caught.value).encode("utf-8")
