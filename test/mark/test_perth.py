"""Perth behind the interface of all watermarks."""

import numpy as np
import pytest

from espnet2_valle.common import extras
from espnet2_valle.common.errors import InputError
from espnet2_valle.mark.perth import Perth
from espnet2_valle.mark.registry import build_watermark

RATE = 24000


def test_a_mark_is_found_and_a_stream_is_held_back():
    pytest.importorskip("perth")
    perth = build_watermark("perth", "", 0)
    rng = np.random.default_rng(0)
    wav = (0.1 * np.cumsum(rng.standard_normal(2 * RATE)) / 50).astype(np.float32)
    marked = perth.embed(wav, RATE)
    assert marked.shape == wav.shape
    stream = perth.stream(RATE)
    chunks = [stream.push(wav[:1000]), stream.push(wav[1000:])]
    assert not any(map(len, chunks))
    assert np.array_equal(stream.flush(), marked)
    assert perth.detect(marked, RATE).marked
    assert perth.detect(marked, RATE).payload is None
    assert len(perth.embed(wav[:0], RATE)) == 0


def test_without_the_package_the_extra_is_named(monkeypatch):
    def missing(module):
        raise ImportError(module)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'espnet2_valle\[perth\]'"):
        Perth()
