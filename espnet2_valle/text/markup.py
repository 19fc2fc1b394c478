"""Languages within a text: `I said <lang=de>Guten Tag</lang> to her.`"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.characters import MARKUP, show

TAG = re.compile(r"<lang=([^<>]*)>|</lang>")
CLOSING = "</lang>"
REMEDY = "Write <lang=de>Guten Tag</lang>, with the language of the words between"


class Span(NamedTuple):
    """A part of a text in one language."""

    language: str
    text: str


def in_language(text: str, language: str) -> str:
    """The text marked as one of a language; what it marks itself stays."""
    return f"<lang={language}>{text}{CLOSING}"


def without_markup(text: str) -> str:
    """The words of a text, without the marks of languages."""
    return TAG.sub("", text)


def spans(text: str, languages: Collection[str], where: str = "text") -> list[Span]:
    """Parts of a text by language, in order; neighbours of one language are one part.

    Args:
        text: with `<lang=CODE>...</lang>` around what is in another language; marks may lie in one another.
        languages: that may be named, ISO 639-1; what stands outside of marks is in the first.
        where: names the text in errors.

    Raises:
        InputError: markup of another kind, a language that is not one of these, or marks that do not pair.
    """
    found: list[Span] = []
    opened: list[tuple[str, int]] = []
    first, end = next(iter(languages)), 0

    def add(part: str) -> None:
        language = opened[-1][0] if opened else first
        if found and (found[-1].language == language or not part.strip()):
            found[-1] = Span(found[-1].language, found[-1].text + part)
        elif part:
            found.append(Span(language, part))

    for mark in MARKUP.finditer(text):
        add(text[end : mark.start()])
        end = mark.end()
        tag = TAG.fullmatch(mark[0])
        if tag is None:
            raise _at(where, mark.start(), f"{show(mark[0])} is no mark of a language")
        if tag[1] is None:
            if not opened:
                raise _at(where, mark.start(), f"{CLOSING} closes nothing")
            opened.pop()
        elif tag[1] not in languages:
            known = ", ".join(languages)
            raise InputError(
                where,
                f"character {mark.start() + 1}: '{tag[1]}' is none of the languages that are read here",
                f"Choose one of {known}",
            )
        else:
            opened.append((tag[1], mark.start()))
    if opened:
        raise _at(where, opened[-1][1], f"<lang={opened[-1][0]}> is not closed by {CLOSING}")
    add(text[end:])
    return [span for span in found if span.text.strip()]


def balanced(parts: Iterable[str]) -> Iterator[str]:
    """Parts of a text that was cut without regard to marks, each with those that it lacks."""
    opened: list[str] = []
    for part in parts:
        before = "".join(opened)
        for mark in TAG.finditer(part):
            if mark[1] is not None:
                opened.append(mark[0])
            elif opened:
                opened.pop()
        yield before + part + CLOSING * len(opened)


def _at(where: str, place: int, problem: str) -> InputError:
    return InputError(where, f"character {place + 1}: {problem}", REMEDY)
