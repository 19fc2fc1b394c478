import numpy as np
import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.train.preprocessor import VALLEPreprocessor

TEXT, CODES = np.array([1, 2, 9]), np.zeros((5, 4), dtype=np.int64)


def check(text=TEXT, codes=CODES):
    return VALLEPreprocessor(vocab_size=10, num_codebooks=4, codebook_size=16)(
        "utt7", {"text": text, "codes": codes}
    )


def test_good_data_pass_unchanged():
    data = check()
    assert data["text"] is TEXT
    assert data["codes"] is CODES


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": np.array([], dtype=int)}, "no token"),
        ({"text": np.array([3, 10])}, "token id 10 is outside the token list of 10"),
        ({"codes": CODES[:, :3]}, r"shape \(5, 3\), where the codec has 4"),
        ({"codes": CODES[:0]}, r"shape \(0, 4\)"),
        ({"codes": CODES + 16}, "code 16 is outside the codebook of 16"),
    ],
)
def test_foreign_data_are_named(given, message):
    with pytest.raises(InputError, match=f"utterance utt7: .*{message}"):
        check(**given)
