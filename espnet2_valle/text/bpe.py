"""Fitting a sentencepiece model on the training texts."""

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
