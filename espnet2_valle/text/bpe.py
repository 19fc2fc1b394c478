"""sentencepiece models: fitted on the training texts, and checked."""

from collections.abc import Iterable
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path


def train_bpe(texts: Iterable[str], model: str | Path, num_pieces: int) -> None:
    """Write a BPE model of `num_pieces` pieces to `model`.

    Raises:
        InputError: the texts are too few for so many pieces.
    """
    import sentencepiece

    with atomic_path(model) as temporary, open(temporary, "wb") as stream:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=stream,
                vocab_size=num_pieces,
                model_type="bpe",
                character_coverage=1.0,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise InputError(
                "--nbpe", f"{num_pieces} pieces cannot be fitted ({error})", "Give fewer"
            ) from error


def check_bpe(model: str | Path) -> None:
    """Raise InputError unless a file is a sentencepiece model, which is data alone."""
    import sentencepiece

    try:
        sentencepiece.SentencePieceProcessor().load(str(model))
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(
            model, f"is no sentencepiece model ({error})", "Run stage 3 again, or fetch the model again"
        ) from error
