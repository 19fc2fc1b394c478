"""The list of tokens that a model knows, in ESPnet's order, and the ids it gives them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.text.characters import show

NO_SYMBOL = "has no symbol that"
BLANK, UNKNOWN, SOS_EOS = "<blank>", "<unk>", "<sos/eos>"


class TokenIDs:
    """Tokens to ids and back.

    Args:
        tokens: all tokens in the order of their ids, `<unk>` among them.
        where: the file they came from, for messages.

    Raises:
        InputError: a token given twice, or no `<unk>`.
    """

    def __init__(self, tokens: Sequence[str], where: str | Path = "token list"):
        self.tokens = list(tokens)
        self.where = str(where)
        repeated = [token for token, n in Counter(self.tokens).items() if n > 1]
        if repeated:
            raise InputError(
                self.where, f"token '{repeated[0]}' is there twice", "Write the list again (stage 3)"
            )
        if UNKNOWN not in self.tokens:
            raise InputError(self.where, f"has no {UNKNOWN}", "Write the list again (stage 3)")
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        self.unknown_id = self._ids[UNKNOWN]

    @classmethod
    def collect(cls, tokenized: Iterable[Iterable[str]]) -> "TokenIDs":
        """Make the list from tokenised texts: <blank>, <unk>, the rest by falling count, <sos/eos>."""
        counts = Counter(token for tokens in tokenized for token in tokens)
        for special in (BLANK, UNKNOWN, SOS_EOS):
            counts.pop(special, None)
        ordered = sorted(counts, key=lambda token: (-counts[token], token))
        return cls([BLANK, UNKNOWN, *ordered, SOS_EOS])

    @classmethod
    def load(cls, path: str | Path) -> "TokenIDs":
        """Read one token a line.

        Raises:
            InputError: no such file, or not a list of tokens.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(path, "no such token list", "Run stage 3 first, or correct the path")
        lines = path.read_text(encoding="utf-8").split("\n")
        # A token may itself be a space, so only the line's end is taken off.
        return cls([line[0] + line[1:].rstrip() for line in lines if line], path)

    def write(self, path: str | Path) -> None:
        """Write one token a line."""
        with atomic_open(path) as stream:
            stream.writelines(f"{token}\n" for token in self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str], where: str = "text", text: str = "") -> list[int]:
        """Ids of tokens; a token that is not in the list becomes that of `<unk>`.

        Args:
            tokens: from the tokenizer.
            where: the utterance or option the text came from, for the message.
            text: the text itself, for the message.

        Raises:
            InputError: not one token is known.
        """
        ids = [self._ids.get(token, self.unknown_id) for token in tokens]
        if all(number == self.unknown_id for number in ids):
            raise InputError(
                where,
                f"text {show(text)} {NO_SYMBOL} {self.where} knows",
                "Correct the text, or choose a --token_type, --g2p and --cleaner that fit its language",
            )
        return ids

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """Those of `tokens` that are not in the list, in order."""
        return [token for token in tokens if token not in self._ids]

    def extended(self, tokenized: Iterable[Iterable[str]]) -> "TokenIDs":
        """The list with what it lacks, before its last token: the others keep their ids.

        Args:
            tokenized: texts as tokens; new ones come by falling count.
        """
        counts = Counter(token for tokens in tokenized for token in self.unknown(tokens))
        new = sorted(counts, key=lambda token: (-counts[token], token))
        return TokenIDs([*self.tokens[:-1], *new, self.tokens[-1]], self.where)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Tokens of ids."""
        return [self.tokens[number] for number in ids]
