"""Preparation of each utterance between the archive and the batch."""

import numpy as np

from espnet2_valle.common.errors import InputError


class VALLEPreprocessor:
    """Check of token ids and codes against what the model was built for.

    Text arrives as ids (the recipe tokenises once, in stage 3), so nothing is computed here; but a
    code or a token that the model has no embedding for would only surface as an index error deep in
    a training step, without the utterance's name.

    Args:
        vocab_size: token ids must be below it.
        num_codebooks, codebook_size: of the codec.
    """

    def __init__(self, vocab_size: int, num_codebooks: int, codebook_size: int):
        self.vocab_size = vocab_size
        self.num_codebooks = num_codebooks
        self.codebook_size = codebook_size

    def __call__(self, uid: str, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return `data` as it is.

        Args:
            uid: utterance id.
            data: "text" (S,) token ids and "codes" (T, Q).

        Raises:
            InputError: an empty or foreign item.
        """
        text, codes = data["text"], data["codes"]
        if text.size == 0:
            raise InputError(f"utterance {uid}", "its text has no token", "Run stage 3 again or remove it")
        if text.min() < 0 or text.max() >= self.vocab_size:
            raise InputError(
                f"utterance {uid}",
                f"token id {text.max()} is outside the token list of {self.vocab_size}",
                "Token ids and token list come from different runs of stage 3: run it again",
            )
        if codes.ndim != 2 or codes.shape[1] != self.num_codebooks or codes.shape[0] == 0:
            raise InputError(
                f"utterance {uid}",
                f"codes of shape {codes.shape}, where the codec has {self.num_codebooks} codebooks",
                "The codes come from another codec: run stage 4 again",
            )
        if codes.min() < 0 or codes.max() >= self.codebook_size:
            raise InputError(
                f"utterance {uid}",
                f"code {codes.max()} is outside the codebook of {self.codebook_size}",
                "The codes come from another codec: run stage 4 again",
            )
        return data
