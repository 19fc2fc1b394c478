"""Texts as a model reads them."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.encoder import TextEncoder

TOKENS = ["<blank>", "<unk>", "<space>", "a", "b", "<sos/eos>"]


def test_a_text_becomes_the_ids_of_its_tokens():
    encoder = TextEncoder(TOKENS, "char")
    assert encoder.text2tokens("a b") == ["a", "<space>", "b"]
    assert encoder.encode("a bx") == [3, 2, 4, 1]


def test_a_text_of_unknown_symbols_is_named():
    with pytest.raises(InputError, match="prompt_text: text 'xyz' has no symbol that the model knows"):
        TextEncoder(TOKENS, "char").encode("xyz", "prompt_text")
