"""Languages within a text: `I said <lang=de>Guten Tag</lang> to her.`"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, NoReturn

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.characters import MARKUP, show

TAG = re.compile(r"<lang=([^<>/]*)(/?)>|</lang>")
CLOSING = "</lang>"
REMEDY = "Write <lang=de>Guten Tag</lang>, with the language of the words between"


class Span(NamedTuple):
    """A part of a text in one language."""

    language: str
    text: str


def in_language(text: str, language: str) -> str:
    """The text marked as of a language, up to where another such text begins; what it marks itself stays."""
    return f"<lang={language}/>{text}"


def without_markup(text: str) -> str:
    """The words of a text, without the marks of languages."""
    return TAG.sub("", text)


def spans(text: str, languages: Collection[str], where: str = "text") -> list[Span]:
    """Parts of a text by language, in order; neighbours of one language are one part.

    Args:
        text: with `<lang=CODE>...</lang>` around what is in another language; marks may lie in one another.
            See `in_language` for that of the rest; without one it is in the first of `languages`.
        languages: that may be named, ISO 639-1.
        where: names the text in errors.

    Raises:
        InputError: markup of another kind, a language that is not one of these, or marks that do not pair.
    """
    found: list[Span] = []
    opened: list[tuple[str, int]] = []
    rest = next(iter(languages))
    begin = end = 0  # `begin` is where the text starts that was given

    def add(part: str) -> None:
        language = opened[-1][0] if opened else rest
        if found and (found[-1].language == language or not part.strip()):
            found[-1] = Span(found[-1].language, found[-1].text + part)
        elif part:
            found.append(Span(language, part))

    def refuse(place: int, problem: str, remedy: str = REMEDY) -> NoReturn:
        raise InputError(where, f"character {max(place - begin, 0) + 1}: {problem}", remedy)

    def check_closed() -> None:
        if opened:
            refuse(opened[-1][1], f"<lang={opened[-1][0]}> is not closed by {CLOSING}")

    for mark in MARKUP.finditer(text):
        add(text[end : mark.start()])
        end = mark.end()
        tag = TAG.fullmatch(mark[0])
        if tag is None:
            refuse(mark.start(), f"{show(mark[0])} is no mark of a language")
        language = tag[1]
        if language is None:
            if not opened:
                refuse(mark.start(), f"{CLOSING} closes nothing")
            opened.pop()
        elif language not in languages:
            problem = f"'{language}' is none of the languages that are read here"
            refuse(mark.start(), problem, f"Choose one of {', '.join(languages)}")
        elif tag[2]:
            check_closed()
            rest, begin = language, end
        else:
            opened.append((language, mark.start()))
    check_closed()
    add(text[end:])
    return [span for span in found if span.text.strip()]


def balanced(parts: Iterable[str]) -> Iterator[str]:
    """Parts of a text that was cut without regard to marks, each with those that it lacks."""
    opened: list[str] = []
    for part in parts:
        before = "".join(opened)
        for mark in TAG.finditer(part):
            if mark[1] is None:
                del opened[-1:]
            elif not mark[2]:
                opened.append(mark[0])
        yield before + part + CLOSING * len(opened)
