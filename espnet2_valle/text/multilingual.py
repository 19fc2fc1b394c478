"""Several languages with one list of tokens: each is read by a g2p of its own."""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.espeak_phones import words_apart
from espnet2_valle.text.language import check_named_languages, code_of, language_of
from espnet2_valle.text.markup import Span, spans
from espnet2_valle.text.roles import SPACE

OPTION = "--g2p"
CODE = re.compile("[a-z]{2,3}")


class Tokenizer(Protocol):
    """Tokenizer of one language."""

    def text2tokens(self, line: str) -> list[str]:
        """Tokens of one text."""
        ...


def choices_by_language(g2p: str | None) -> dict[str, str]:
    """Languages and their g2p, of an option that names several: `en=espeak_ng_english_us_vits de=espeak:de`.

    Returns:
        ISO 639-1 code -> g2p, in their order; nothing where the option is one g2p, or none.

    Raises:
        InputError: a part without language or g2p, one that is no language or comes twice, or a g2p that
            reads another language.
    """
    if g2p is None or "=" not in g2p:
        return {}
    remedy = f'Give pairs such as {OPTION} "en=espeak_ng_english_us_vits zh=pypinyin_g2p_phone"'
    found: dict[str, str] = {}
    for pair in g2p.split():
        named, _, choice = pair.partition("=")
        code = normal_code(named)
        if not choice or not CODE.fullmatch(code):
            raise InputError(OPTION, f"'{pair}' is no language with its g2p", remedy)
        if code in found:
            raise InputError(OPTION, f"language '{code}' has two", "Leave out one of them")
        reads = language_of(choice)
        if reads not in (None, code):
            raise InputError(OPTION, f"'{pair}': {choice} reads '{reads}'", remedy)
        found[code] = choice
    return found


def normal_code(named: str) -> str:
    """ISO 639-1 code of a language as corpora name it, see `code_of`; of others what they are called."""
    return code_of(named) or named.strip().lower()


class MultilingualTokenizer:
    """Tokenizers of several languages, for texts that may switch between them; see `markup.spans`.

    Args:
        tokenizers: of each language; the first one is that of texts without a mark.
        choices: the g2p of each.
    """

    def __init__(self, tokenizers: Mapping[str, Tokenizer], choices: Mapping[str, str]):
        self.tokenizers = tokenizers
        self._apart = {language for language in tokenizers if words_apart(choices[language])}

    def text2spans(self, line: str) -> list[tuple[str, list[str]]]:
        """Language and tokens of each part of a text, in order.

        A space between words is the same token in all languages that have one, and stands between parts too
        if one of the two has it.
        """
        return [(span.language, tokens) for span, tokens in self.spans2tokens(spans(line, self.tokenizers))]

    def tokens_of(self, span: Span) -> list[str]:
        """Tokens of a part by itself; a space is the same token in all languages."""
        return [
            SPACE if token == " " else token
            for token in self.tokenizers[span.language].text2tokens(span.text)
        ]

    def spans2tokens(self, parts: Iterable[Span]) -> list[tuple[Span, list[str]]]:
        """Tokens of each part that has some, see `text2spans`."""
        found: list[tuple[Span, list[str]]] = []
        for span in parts:
            language = span.language
            tokens = self.tokens_of(span)
            if tokens and found and {language, found[-1][0].language} & self._apart:
                tokens = [SPACE, *tokens]
            if tokens:
                found.append((span, tokens))
        return found

    def text2tokens(self, line: str) -> list[str]:
        """Tokens of one text."""
        return [token for _, tokens in self.text2spans(line) for token in tokens]


def check_names(named: Iterable[tuple[str, str]], g2p: str | None, where: str) -> None:
    """Refuse utterances that are said to be of a language that no g2p of an option reads.

    Args:
        named: utterances and their languages.
        g2p: the option.
        where: that tells the languages, for the error.

    Raises:
        InputError: the first such utterance, and how many.
    """
    choices = choices_by_language(g2p)
    if not choices:
        check_named_languages(named, g2p, where)
        return
    others = [(utterance, language) for utterance, language in named if normal_code(language) not in choices]
    if others:
        (utterance, language), known = others[0], ", ".join(choices)
        raise InputError(
            where,
            f"{len(others)} utterances are of no language that --g2p names ({known}): "
            f"'{utterance}' is '{language}'",
            f"Give {OPTION} that of this language too, or correct it",
        )
