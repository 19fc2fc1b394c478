"""Texts in which lone letters are spelled aloud."""

import re

LETTER_A = re.compile(r"(?<!\S)a(?!\S)", re.IGNORECASE)


def as_letters(text: str) -> str:
    """The text with a hyphen behind each lone `a`, which is read as an article without it.

    espeak-ng then says the letter's name, as it does of all other lone letters by themselves; scorers, which
    take no notice of hyphens, still read `a`.
    """
    return LETTER_A.sub(r"\g<0>-", text)
