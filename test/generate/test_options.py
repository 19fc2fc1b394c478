"""Options of decoding: what they may be, and that they can be a key."""

import pickle

import numpy as np
import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.options import DecodingOptions, SamplingOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", "hot"),
        ("top_k", -1),
        ("top_k", 1.5),
        ("top_p", 0),
        ("min_p", 1.1),
        ("repetition_window", None),
        ("repetition_threshold", 2),
        ("best_of", 0),
        ("retries", -1),
        ("max_repeat_seconds", -0.1),
        ("dtype", "int4"),
        ("cuda_graphs", "yes"),
        ("chooser_conf", 3),
        ("watermark", "ink"),
        ("watermark_key", ""),
        ("watermark_payload", 65536),
    ],
)
def test_values_that_are_none_are_named(name, value):
    with pytest.raises(InputError, match=f"--{name}: {value} is out of range. See conf/decode.yaml"):
        DecodingOptions(**{name: value})


def test_whole_numbers_and_those_of_numpy_are_numbers():
    given = DecodingOptions(temperature=1, seed=np.int64(3), top_p=np.float32(0.5))
    assert given == DecodingOptions(temperature=1.0, seed=3, top_p=0.5)


def test_they_are_a_key_whatever_they_were_given_as():
    conf = {"model": "wav2vec2", "layers": [1, 2]}
    options = [
        DecodingOptions(best_of=2, chooser="huggingface", chooser_conf={"model": name}) for name in "aab"
    ]
    assert len(set(options)) == 2
    with pytest.raises(InputError, match="no option 'layers'"):
        DecodingOptions(best_of=2, chooser="huggingface", chooser_conf=conf)
    assert pickle.loads(pickle.dumps(options[0])) == options[0]


def test_those_of_sampling_are_among_them():
    options = DecodingOptions(top_p=0.6, repetition_window=10, seed=3)
    assert options.sampling == SamplingOptions(top_p=0.6, repetition_window=10)
    # A long text that was broken off goes on by it.
    assert repr(options.sampling) == (
        "SamplingOptions(temperature=1.0, top_k=0, top_p=0.6, min_p=0.0, repetition_window=10, "
        "repetition_threshold=0.1, repetition_counts_drawn=False)"
    )
