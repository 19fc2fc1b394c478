"""Lyra with the published weights, where they and the runtime are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from espnet2_valle.codec.frame_network import open_interpreter
from espnet2_valle.codec.lyra import LyraCodec
from espnet2_valle.codec.lyra_weights import QUANTIZER, LyraWeights
from espnet2_valle.codec.stream import CodecStream
from espnet2_valle.common.audio import read_audio

SHARED = Path(os.environ.get("ESPNET2_VALLE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
WEIGHTS, SPEECH = SHARED / "models" / "lyra", SHARED / "corpora" / "an4_en" / "test" / "wav"
HOP = 320


@pytest.fixture(scope="module")
def weights():
    pytest.importorskip("ai_edge_litert", reason="the extra `lyra` is not installed")
    if not WEIGHTS.is_dir() or not SPEECH.is_dir():
        pytest.skip("Lyra's weights or the recordings are not in ../shared")
    return LyraWeights.from_folder(WEIGHTS)


@pytest.fixture(scope="module")
def clips(weights):
    return [read_audio(path, 16000)[0] for path in sorted(SPEECH.iterdir())[:40:10]]


@pytest.fixture(scope="module")
def codec(weights):
    return LyraCodec(weights)


@pytest.fixture(scope="module")
def quantizer(weights):
    """The published quantiser's two directions."""
    interpreter = open_interpreter((WEIGHTS / QUANTIZER).read_bytes(), QUANTIZER, "")
    return interpreter.get_signature_runner("encode"), interpreter.get_signature_runner("decode")


def features(codec, wav):
    return codec.encoder(np.pad(wav, (0, -len(wav) % HOP)).reshape(-1, HOP))


def test_the_weights_are_as_published(weights, caplog):
    LyraWeights.from_folder(WEIGHTS)
    assert not caplog.text
    assert weights.codewords.shape == (46, 16, 64)


def test_codes_are_the_published_quantisers(weights, codec, quantizer, clips):
    every = LyraCodec(weights, 46, 1)
    for wav in clips:
        ours = every.encode(wav)
        theirs = [
            quantizer[0](input_frames=frame[None, None], num_quantizers=np.int32(46))["output_0"].reshape(-1)
            for frame in features(codec, wav)
        ]
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(codec.encode(wav), codec.join(ours[:, :16]))


def test_the_published_quantiser_adds_codewords(codec, quantizer, clips):
    codes = codec.encode(clips[0])[::10]
    stages = np.pad(codec.split(codes), ((0, 0), (0, 46 - 16)), constant_values=-1).astype(np.int32)
    theirs = [quantizer[1](encoding_indices=row[:, None, None])["output_0"].reshape(-1) for row in stages]
    ours = sum(book[codes[:, level]] for level, book in enumerate(codec.codewords()))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_codes_depend_on_nothing_before(codec, clips):
    codes = [codec.encode(wav) for wav in clips]
    for before, wanted in zip(codec.encode_batch(clips[::-1]), codes[::-1], strict=True):
        np.testing.assert_array_equal(before, wanted)


def loudness(wav):
    frames = wav[: len(wav) // HOP * HOP].reshape(-1, HOP)
    return np.log10(np.sqrt((frames**2).mean(axis=1)) + 1e-3)


def test_speech_comes_back_in_its_time(codec, clips):
    for wav in clips:
        sound = codec.decode(codec.encode(wav))
        assert np.abs(sound).max() <= 1
        likeness = [np.corrcoef(loudness(wav), loudness(np.roll(sound, shift)[: len(wav)]))[0, 1]
                    for shift in (0, HOP, -HOP)]  # fmt: skip
        assert likeness[0] > 0.9
        assert np.argmax(likeness) == 0


@pytest.mark.parametrize("length", [7, 25])
def test_pieces_are_the_whole(codec, clips, length):
    codes = codec.encode(clips[0])
    stream = CodecStream(codec, codes)
    pieces = [stream.push(codes[start : start + length]) for start in range(0, len(codes), length)]
    joined = np.concatenate([*pieces, stream.flush()])
    whole = codec.decode(codes)
    np.testing.assert_allclose(joined, whole, atol=1e-6)
