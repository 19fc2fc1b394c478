"""Marks of languages within a text."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.markup import Span, balanced, in_language, spans, without_markup

LANGUAGES = ("en", "de", "zh")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two", [("en", "one two")]),
        ("<lang=de>eins</lang>", [("de", "eins")]),
        ("say <lang=de>eins</lang> now", [("en", "say "), ("de", "eins"), ("en", " now")]),
        ("<lang=de>eins</lang> <lang=de>zwei</lang>", [("de", "eins zwei")]),
        ("<lang=zh>一</lang><lang=de>eins</lang>", [("zh", "一"), ("de", "eins")]),
        ("<lang=de>ein <lang=en>team</lang> mehr</lang>", [("de", "ein "), ("en", "team"), ("de", " mehr")]),
        ("1 < 2 <lang=de></lang>", [("en", "1 < 2 ")]),
        ("<lang=de> </lang>", []),
    ],
)
def test_a_text_is_cut_where_its_language_changes(text, expected):
    assert spans(text, LANGUAGES) == [Span(*one) for one in expected]
    assert "".join(one.text for one in spans(text, LANGUAGES)).split() == without_markup(text).split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one <lang=de>eins", "text: character 5: <lang=de> is not closed by </lang>"),
        ("one</lang> two", "text: character 4: </lang> closes nothing"),
        (
            "a <lang=fr>un</lang>",
            "text: character 3: 'fr' is none of the languages .* Choose one of en, de, zh",
        ),
        ("a <lang>b</lang>", "character 3: '<lang>' is no mark of a language"),
        ("a <b>b</b>", "character 3: '<b>' is no mark of a language"),
        ("a <lang=>b</lang>", "character 3: '' is none of the languages"),
    ],
)
def test_bad_marks_are_refused_with_their_place(text, message):
    with pytest.raises(InputError, match=message.replace("</", "<.?")):
        spans(text, LANGUAGES)


def test_a_marked_text_keeps_its_own_marks():
    text = in_language("ich sage <lang=en>hello</lang>", "de")
    assert spans(text, LANGUAGES) == [Span("de", "ich sage "), Span("en", "hello")]
    both = f"{text} {in_language('再 <lang=en>see', 'zh')} you</lang> 见"
    assert spans(both, LANGUAGES)[2:] == [Span("zh", "再 "), Span("en", "see you"), Span("zh", " 见")]
    assert without_markup(both) == "ich sage hello 再 see you 见"


@pytest.mark.parametrize("text", ["eins <lang=en>two", "eins <b>", "eins </lang>"])
def test_places_are_those_in_the_text_that_was_given(text):
    for whole in (text, in_language(text, "de"), f"one {in_language(text, 'de')} {in_language('two', 'en')}"):
        with pytest.raises(InputError, match="text: character 6: "):
            spans(whole, LANGUAGES)


def test_parts_of_a_marked_text_are_marked():
    parts = ["<lang=de>Eins. Zwei <lang=en>three.", "Four</lang> fünf.", "Sechs</lang> seven.", "Eight."]
    assert list(balanced(parts)) == [
        "<lang=de>Eins. Zwei <lang=en>three.</lang></lang>",
        "<lang=de><lang=en>Four</lang> fünf.</lang>",
        "<lang=de>Sechs</lang> seven.",
        "Eight.",
    ]
