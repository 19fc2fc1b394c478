"""Text to token ids, as one model reads it."""

from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.characters import check_said, show
from espnet2_valle.text.language import language_of
from espnet2_valle.text.multilingual import MultilingualTokenizer, choices_by_language
from espnet2_valle.text.reading import CURRENT
from espnet2_valle.text.tokenizer import build_tokenizer, check_text
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.text.unknown import unknown_words


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

    def unknown(self, text: str) -> dict[str, str]:
        """Words that the model cannot say as they are, and why; see `unknown_words`."""
        return unknown_words(text, self.text2tokens(text), self.tokenizer, self.ids, self.g2p)


def is_sound(token: str) -> bool:
    """Tell phones and letters from punctuation and `<space>`."""
    return not token.startswith("<") and any(map(str.isalnum, token))
