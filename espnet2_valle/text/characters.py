"""Characters of a text: what is no writing is refused, and what looks alike is written alike."""

import re
import unicodedata

from espnet2_valle.common.errors import InputError

# Compatibility forms that say something of their own: 10² is not 102, nor 1½ 11/2.
KEPT_FORMS = ("<super>", "<sub>", "<fraction>")
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"))
INVISIBLE |= dict.fromkeys(range(0x2066, 0x206A))
# Pictures, flags, skin tones and what joins them to one sign: nobody says them.
EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\ufe0e\ufe0f\u20e3]\u200d?"
)
MARKUP = re.compile(r"</?[A-Za-z][^<>]*>")  # <speak>, <noise> and the like
WHITESPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
REPLACEMENT = "\ufffd"  # what a wrong encoding leaves
SHOWN = 60  # characters of a text in a message
APOSTROPHE = re.compile(r"(?<=[^\W\d_])[’ʼ´`](?=[^\W\d_])")


def check_said(text: str | None, where: str = "text") -> None:
    """Raise InputError, which names `where`, at a text that is none or empty."""
    if not isinstance(text, str):
        raise InputError(where, f"{text!r} is no text", "Give something to say")
    if not text.strip():
        raise InputError(where, "is empty", "Give something to say")


def check_characters(text: str, where: str = "text") -> None:
    """Refuse a text with characters that are no writing.

    Args:
        text: of one utterance.
        where: names it in the error.

    Raises:
        InputError: control characters, halves of characters, or what a wrong encoding leaves.
    """
    if text.isascii() and text.isprintable():
        return
    for place, character in enumerate(text):
        control = unicodedata.category(character) in ("Cc", "Cs", "Co") and character not in WHITESPACE
        if control or character == REPLACEMENT:
            raise InputError(
                where,
                f"character {place + 1} is U+{ord(character):04X}, which is no writing: {show(text)}",
                "Take it out, or convert the text to UTF-8",
            )


def check_markup(text: str, where: str = "text") -> None:
    """Raise InputError at a text with markup, which a g2p would read as words; `where` names it."""
    found = MARKUP.search(text)
    if found:
        raise InputError(
            where, f"has markup, which would be read as words: {show(found[0])}", "Take it out of the text"
        )


def normalise(text: str) -> str:
    """Write alike what looks alike (NFKC, but for superscripts and fractions); drop what is not seen or said.

    Apostrophes inside words become `'`, and emoji and any white space one space.
    """
    if not text.isascii():
        text = EMOJI.sub(" ", text)
    text = APOSTROPHE.sub("'", text.translate(INVISIBLE))
    if not text.isascii():
        text = "".join(
            character
            if unicodedata.decomposition(character).startswith(KEPT_FORMS)
            else unicodedata.normalize("NFKC", character)
            for character in text
        )
    return " ".join(unicodedata.normalize("NFC", text).split())


def show(text: str) -> str:
    """A text for a message: short, on one line, printable anywhere."""
    shown = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
    return f"'{shown}'" if len(shown) <= SHOWN else f"'{shown[: SHOWN - 3]}...'"
