"""Text to token ids, as one model reads it."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.characters import check_said, show
from espnet2_valle.text.language import language_of
from espnet2_valle.text.markup import ONE_LANGUAGE, Span, has_emotions, spans, without_emotions
from espnet2_valle.text.multilingual import MultilingualTokenizer, choices_by_language
from espnet2_valle.text.reading import CURRENT
from espnet2_valle.text.roles import SPACE
from espnet2_valle.text.tokenizer import build_tokenizer, check_text
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.text.unknown import unknown_words


class Encoded(NamedTuple):
    """A text as token ids.

    Attributes:
        ids: of its tokens.
        emotions: that each is marked with, "" of what is not; None where nothing is marked.
        languages: of each, where the text was cut for its emotions; None: see `TextEncoder.languages_of`.
    """

    ids: list[int]
    emotions: list[str] | None = None
    languages: list[str] | None = None


class TextEncoder:
    """A tokenizer with the list of tokens that a model knows.

    Args:
        tokens: of the model, in the order of their ids.
        token_type, g2p, cleaner, bpemodel, reading: see `build_tokenizer`.

    Attributes:
        languages: that it reads, ISO 639-1; none where any text is read alike.

    Raises:
        InputError: see `build_tokenizer` and `TokenIDs`.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        token_type: str,
        g2p: str | None = None,
        cleaner: str | None = None,
        bpemodel: str | Path | None = None,
        reading: int = CURRENT,
    ):
        self.ids = TokenIDs(tokens, "the model")
        self.token_type = token_type
        self.g2p = g2p if token_type == "phn" else None
        self.tokenizer = build_tokenizer(token_type, g2p, cleaner, bpemodel, reading)
        own = language_of(self.g2p)
        self.languages = tuple(choices_by_language(self.g2p)) or ((own,) if own else ())

    def text2tokens(self, line: str) -> list[str]:
        """Tokens of one text."""
        return self.tokenizer.text2tokens(line)

    def encode(self, text: str, where: str = "text") -> list[int]:
        """Token ids of one text; `where` names it in errors.

        Raises:
            InputError: nothing to say, characters that are no writing, a script that the g2p does not read,
                or not one known symbol.
        """
        check_said(text, where)
        check_text(text, self.token_type, self.g2p, where)
        tokens = self.text2tokens(text)
        if self.g2p is not None and not any(map(is_sound, tokens)):
            raise InputError(where, f"{show(text)} has nothing to say", "Give words")
        return self.ids.encode(tokens, where, text)

    def languages_of(self, text: str, language: str) -> list[str]:
        """The language of each token id of a text.

        Args:
            text: with its marks, if it is to be read by several g2p.
            language: of a text that is read by one.
        """
        if not isinstance(self.tokenizer, MultilingualTokenizer):
            return [language] * len(self.text2tokens(text))
        return [code for code, tokens in self.tokenizer.text2spans(text) for _ in tokens]

    def encode_styled(self, text: str, emotions: Collection[str], where: str = "text") -> "Encoded":
        """Token ids of one text, with the emotions that parts of it are marked with.

        Args:
            text: with marks of emotions or without.
            emotions: that may be named; none: marks are refused.
            where: names the text in errors.

        Raises:
            InputError: see `encode` and `markup.spans`.
        """
        if not has_emotions(text):
            return Encoded(self.encode(text, where))
        parts = spans(text, self.languages if self._several else ONE_LANGUAGE, where, emotions)
        self.encode(without_emotions(text), where)  # which refuses what cannot be said
        pairs = [(token, span) for span, tokens in self._tokens_of(parts) for token in tokens]
        ids = self.ids.encode([token for token, _ in pairs], where, text)
        languages = [span.language for _, span in pairs] if self._several else None
        return Encoded(ids, [span.emotion for _, span in pairs], languages)

    @property
    def _several(self) -> bool:
        return isinstance(self.tokenizer, MultilingualTokenizer)

    def _tokens_of(self, parts: Sequence[Span]) -> list[tuple[Span, list[str]]]:
        """Tokens of each part of a text that has some; where words are apart, parts are, too."""
        if isinstance(self.tokenizer, MultilingualTokenizer):
            return self.tokenizer.spans2tokens(parts)
        spaced = SPACE in self.ids.tokens
        found: list[tuple[Span, list[str]]] = []
        for span in parts:
            tokens = self.text2tokens(span.text.strip())
            apart = found and (span.text[:1].isspace() or found[-1][0].text[-1:].isspace())
            if tokens:
                found.append((span, [SPACE, *tokens] if spaced and apart else tokens))
        return found

    def unknown(self, text: str) -> dict[str, str]:
        """Words that the model cannot say as they are, and why; see `unknown_words`."""
        return unknown_words(text, self.text2tokens(text), self.tokenizer, self.ids, self.g2p)


def is_sound(token: str) -> bool:
    """Tell phones and letters from punctuation and `<space>`."""
    return not token.startswith("<") and any(map(str.isalnum, token))
