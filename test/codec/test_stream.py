import numpy as np
import pytest
from codec_samples import vowel

from espnet2_valle.codec.stream import CodecStream, best_shift, fade


def in_pieces(codec, codes, cuts, utterance=None):
    """Samples of each piece and of the flush, for codes cut at `cuts`."""
    stream = CodecStream(codec, codes if utterance is None else utterance)
    edges = [0, *cuts, len(codes)]
    pieces = [stream.push(codes[start:end]) for start, end in zip(edges, edges[1:], strict=False)]
    return [*pieces, stream.flush()]


def flux(wav, size=320, hop=160):
    """Change of the spectrum in dB from one window to the next: what a click shows in."""
    count = (len(wav) - size) // hop
    windows = np.stack([wav[i * hop : i * hop + size] for i in range(count)]) * np.hanning(size)
    spectra = 20 * np.log10(np.abs(np.fft.rfft(windows, axis=1)) + 1e-3)
    return np.sqrt(np.mean(np.diff(spectra, axis=0) ** 2, axis=1))


@pytest.fixture(scope="module")
def codes(codec):
    return codec.encode(vowel(1.6, 120, seed=5))


@pytest.mark.parametrize("cuts", [[], [10], [1, 2, 3], [10, 25, 40, 55], list(range(1, 80))])
def test_no_sample_is_lost_or_added(codec, codes, cuts):
    pieces = in_pieces(codec, codes, cuts)
    assert sum(map(len, pieces)) == len(codec.decode(codes))
    assert all(piece.dtype == np.float32 for piece in pieces)


def test_one_piece_is_plain_decoding(codec, codes):
    stream = CodecStream(codec, codes)
    stream.push(codes[:0])
    stream._codes = codes
    np.testing.assert_allclose(stream.flush(), codec.decode(codes), rtol=5e-3, atol=1e-6)


def test_seams_do_not_click(codec, codes):
    whole = flux(codec.decode(codes))
    smooth = flux(np.concatenate(in_pieces(codec, codes, [10, 25, 40, 55])))
    hop = round(codec.hop_length)
    edges = [0, 10, 25, 40, 55, len(codes)]
    cut = [codec.decode(codes[start:end]) for start, end in zip(edges, edges[1:], strict=False)]
    clicks = flux(np.concatenate(cut))
    seams = [(end - 2) * hop // 160 + step for end in edges[1:-1] for step in (-2, -1, 0, 1)]
    cuts = [end * hop // 160 + step for end in edges[1:-1] for step in (-2, -1, 0, 1)]
    assert (smooth[seams] - whole[seams]).mean() < 0.2 * (clicks[cuts] - whole[cuts]).mean()


def test_the_level_is_the_utterances(codec, codes):
    louder = codec.encode(10 * vowel(1.0, 120, seed=5))
    parts = in_pieces(codec, codes, [20, 40])
    raised = in_pieces(codec, codes, [20, 40], louder)
    ratios = [np.sqrt(np.mean(b**2) / np.mean(a**2)) for a, b in zip(parts, raised, strict=True) if a.any()]
    assert min(ratios) > 4
    assert max(ratios) < 1.05 * min(ratios)  # the same for every piece


def test_what_is_kept_does_not_grow(codec, codes):
    stream = CodecStream(codec, codes)
    kept = []
    for _ in range(6):
        for start in range(0, 80, 16):
            stream.push(codes[start : start + 16])
            kept.append(len(stream._codes))
    assert max(kept) < 30


def test_shifts_are_found():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(400)
    assert best_shift(sound[60:200], sound[40:300], 20) == 0
    assert best_shift(sound[67:207], sound[40:300], 20) == 7
    assert best_shift(sound[53:193], sound[40:300], 20) == -7
    assert best_shift(sound[:0], sound, 20) == 0


def test_fading_keeps_the_power_of_noise_and_of_a_tone():
    rng = np.random.default_rng(0)
    tone = np.sin(np.arange(4000) / 3)
    np.testing.assert_allclose(fade(tone[:1000], tone), tone, atol=1e-4)
    old, new = rng.standard_normal((2, 20000))
    assert np.mean(fade(old, new)[8000:12000] ** 2) == pytest.approx(1.0, abs=0.1)
