"""Text to token ids, as one model reads it."""

from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.text.tokenizer import build_tokenizer
from espnet2_valle.text.tokens import TokenIDs


class TextEncoder:
    """A tokenizer with the list of tokens that a model knows.

    Args:
        tokens: of the model, in the order of their ids.
        token_type, g2p, cleaner, bpemodel: see `build_tokenizer`.

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
    ):
        self.ids = TokenIDs(tokens, "the model")
        self.tokenizer = build_tokenizer(token_type, g2p, cleaner, bpemodel)

    def text2tokens(self, line: str) -> list[str]:
        """Tokens of one text."""
        return self.tokenizer.text2tokens(line)

    def encode(self, text: str, where: str = "text") -> list[int]:
        """Token ids of one text; `where` names it in errors.

        Raises:
            InputError: not one of its symbols is known.
        """
        return self.ids.encode(self.text2tokens(text), where, text)
