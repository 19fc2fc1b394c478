"""Languages and emotions within a text: `<lang=de>Guten Tag</lang>, <emotion=happy>of course</emotion>`."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, NoReturn

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.characters import MARKUP, show

LANG, EMOTION = "lang", "emotion"
TAG = re.compile(r"<(lang|emotion)=([^<>/]*)(/?)>|</(lang|emotion)>")
EMOTION_TAG = re.compile(r"<emotion=[^<>/]*>|</emotion>")
CLOSING = "</{}>"
REMEDIES = {
    LANG: "Write <lang=de>Guten Tag</lang>, with the language of the words between",
    EMOTION: "Write <emotion=happy>good morning</emotion>, with the emotion of the words between",
}
ONE_LANGUAGE = ("",)  # in the place of languages, where a text is read in one way


class Span(NamedTuple):
    """A part of a text in one language and, where it is marked so, with one emotion."""

    language: str
    text: str
    emotion: str = ""


class _Mark(NamedTuple):
    """A mark that is open: its kind, what it says, and its place."""

    kind: str
    value: str
    place: int


def in_language(text: str, language: str) -> str:
    """The text marked as of a language, up to where another such text begins; what it marks itself stays."""
    return f"<lang={language}/>{text}"


def without_markup(text: str) -> str:
    """The words of a text, without marks of languages and emotions."""
    return TAG.sub("", text)


def without_emotions(text: str) -> str:
    """A text without marks of emotions; those of languages stay."""
    return EMOTION_TAG.sub("", text)


def has_emotions(text: str) -> bool:
    """Tell whether a text has marks of emotions."""
    return EMOTION_TAG.search(text) is not None


def spans(
    text: str, languages: Collection[str], where: str = "text", emotions: Collection[str] = ()
) -> list[Span]:
    """Parts of a text by language and emotion, in order; neighbours that are alike are one part.

    Args:
        text: with `<lang=CODE>...</lang>` around what is in another language, and
            `<emotion=LABEL>...</emotion>` around what is said with another emotion; marks may lie in one
            another. See `in_language` for the language of the rest; without one it is in the first of
            `languages`.
        languages: that may be named, ISO 639-1.
        where: names the text in errors.
        emotions: that may be named; none: marks of them are refused.

    Raises:
        InputError: markup of another kind, a language or an emotion that is not one of these, or marks that
            do not pair.
    """
    found: list[Span] = []
    opened: list[_Mark] = []
    rest = next(iter(languages))
    begin = end = 0  # `begin` is where the text starts that was given

    def innermost(kind: str, otherwise: str) -> str:
        return next((mark.value for mark in reversed(opened) if mark.kind == kind), otherwise)

    def add(part: str) -> None:
        of = innermost(LANG, rest), innermost(EMOTION, "")
        if found and ((found[-1].language, found[-1].emotion) == of or not part.strip()):
            found[-1] = found[-1]._replace(text=found[-1].text + part)
        elif part:
            found.append(Span(of[0], part, of[1]))

    def refuse(place: int, problem: str, remedy: str = REMEDIES[LANG]) -> NoReturn:
        raise InputError(where, f"character {max(place - begin, 0) + 1}: {problem}", remedy)

    def check_closed() -> None:
        if opened:
            kind, value, place = opened[-1]
            refuse(place, f"<{kind}={value}> is not closed by {CLOSING.format(kind)}", REMEDIES[kind])

    def close(kind: str, place: int) -> None:
        if not opened:
            refuse(place, f"{CLOSING.format(kind)} closes nothing", REMEDIES[kind])
        if opened[-1].kind != kind:
            problem = f"{CLOSING.format(kind)} comes before {CLOSING.format(opened[-1].kind)}"
            refuse(place, problem, "Close marks in the order in which they lie in one another")
        opened.pop()

    def check_named(kind: str, value: str, place: int) -> None:
        if kind == LANG and value not in languages:
            if languages == ONE_LANGUAGE:
                refuse(place, f"'{value}' is named, and all is read in one language here", "Take it out")
            problem = f"'{value}' is none of the languages that are read here"
            refuse(place, problem, f"Choose one of {', '.join(languages)}")
        if kind == EMOTION and not emotions:
            refuse(place, f"'{value}' is named, and no emotions are told here", "Take the mark out")
        if kind == EMOTION and value not in emotions:
            problem = f"'{value}' is none of the emotions that are known here"
            refuse(place, problem, f"Choose one of {', '.join(emotions)}")

    for mark in MARKUP.finditer(text):
        add(text[end : mark.start()])
        end = mark.end()
        tag = TAG.fullmatch(mark[0])
        if tag is None or (tag[3] and tag[1] == EMOTION):
            kinds = "a language or an emotion" if emotions else "a language"
            refuse(mark.start(), f"{show(mark[0])} is no mark of {kinds}")
        kind, value = tag[1], tag[2]
        if tag[4]:
            close(tag[4], mark.start())
            continue
        check_named(kind, value, mark.start())
        if tag[3]:
            check_closed()
            rest, begin = value, end
        else:
            opened.append(_Mark(kind, value, mark.start()))
    check_closed()
    add(text[end:])
    return [span for span in found if span.text.strip()]


def balanced(parts: Iterable[str]) -> Iterator[str]:
    """Parts of a text that was cut without regard to marks, each with those that it lacks."""
    opened: list[tuple[str, str]] = []
    for part in parts:
        before = "".join(mark for mark, _ in opened)
        for mark in TAG.finditer(part):
            if mark[4]:
                del opened[-1:]
            elif not mark[3]:
                opened.append((mark[0], mark[1]))
        yield before + part + "".join(CLOSING.format(kind) for _, kind in reversed(opened))
