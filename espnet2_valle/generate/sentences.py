"""Long text -> sentences, and how long to pause behind each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.markup import balanced, without_markup

PARAGRAPH, OTHER = "paragraph", "other"
COMMAS = (",", ";", ":", "—", "–")
CLOSING = "\"'”’»)]"  # may stand behind the mark that ends a sentence


@dataclass(frozen=True)
class Sentence:
    """A text that is said in one go.

    Attributes:
        text: the words, with their marks.
        pause: seconds of silence behind it.
        lang: its language; None: not told.
    """

    text: str
    pause: float
    lang: str | None = None


def read_text(path: str | Path) -> str:
    """A text to be read aloud.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return decoded(Path(path).read_bytes(), path)
    except OSError as error:
        raise InputError(path, f"no such text ({error.strerror})", "Correct --text_file") from error


def decoded(content: bytes, where: str | Path) -> str:
    """Text of UTF-8 bytes; `where` names them in the error.

    Raises:
        InputError: they are none.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(where, f"is not UTF-8 ({error})", "Convert it") from error


def split_text(
    text: str, pauses: Mapping[str, float], language: str = "en", max_words: int = 30
) -> list[Sentence]:
    """Cut a text into sentences.

    Args:
        text: paragraphs are separated by empty lines.
        pauses: seconds behind a mark; `other` for none of them, `paragraph` for the end of one.
        language: for abbreviations and marks, such as "en". Marks of other languages in the text stay around
            what they are of, see `text.markup`.
        max_words: longer sentences are cut at commas and the like, or where they must.

    Raises:
        InputError: the extra `longform` is not installed, or there is no sentence.
    """
    try:
        from sentencex import segment
    except ImportError as error:
        raise InputError(
            "long text", "needs the package sentencex", "Run `pip install 'espnet2_valle[longform]'`"
        ) from error
    cut = [
        (number, part)
        for number, paragraph in enumerate(re.split(r"\n\s*\n", text))
        for whole in segment(language, " ".join(paragraph.split()))
        for part in _shorten(whole.strip(), max_words)
    ]
    marked = zip((number for number, _ in cut), balanced(part for _, part in cut))
    parts = [(number, part) for number, part in marked if any(map(str.isalnum, without_markup(part)))]
    sentences = []
    for (number, part), (following, _) in zip(parts, [*parts[1:], (None, "")]):
        mark = without_markup(part).rstrip(CLOSING)[-1:] if number == following else PARAGRAPH
        sentences.append(Sentence(part, float(pauses.get(mark, pauses[OTHER]))))
    if not sentences:
        raise InputError("text", "has no sentence", "Give something to say")
    return sentences


def _shorten(sentence: str, max_words: int) -> Iterator[str]:
    """Parts of at most `max_words` words, cut at the last mark inside that leaves a fair part."""
    words = sentence.split()
    while len(words) > max_words:
        marks = [
            n for n in range(max_words // 3, max_words + 1) if without_markup(words[n - 1])[-1:] in COMMAS
        ]
        end = marks[-1] if marks else max_words
        yield " ".join(words[:end])
        words = words[end:]
    if words:
        yield " ".join(words)
