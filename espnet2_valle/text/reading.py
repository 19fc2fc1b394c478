"""The way in which texts become tokens, kept with the token list: a model reads as it was trained."""

from pathlib import Path

from espnet2_valle.common.fileio import atomic_open

ESPNET = 1  # ESPnet's tokenizers as they are; of every token list that has no file beside it
CURRENT = 2  # characters normalised; espeak's phones without marks of languages, punctuation by itself
FILE = "text_reading"  # beside the token list


def reading_of(token_list: str | Path) -> int:
    """The reading that a token list was made with."""
    path = Path(token_list).with_name(FILE)
    return int(path.read_text(encoding="utf-8")) if path.is_file() else ESPNET


def keep_reading(token_list: str | Path, reading: int) -> None:
    """Write down what a token list is made with."""
    with atomic_open(Path(token_list).with_name(FILE)) as stream:
        stream.write(f"{reading}\n")
