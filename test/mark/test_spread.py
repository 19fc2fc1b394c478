"""The spread-spectrum watermark: what it survives, what it leaves alone, how seldom it is seen by chance."""

import io

import numpy as np
import pytest
import soundfile
import soxr
from babble import babble

from espnet2_valle.common.errors import InputError
from espnet2_valle.mark import spread_detector
from espnet2_valle.mark.registry import WATERMARKS, build_watermark
from espnet2_valle.mark.spread_grid import BANDS, BLOCKS, SLOTS, VALUES, codebook, signs, spectra

RATE = 24000
KEY, PAYLOAD = "a key", 54321


@pytest.fixture(scope="module")
def watermark():
    return build_watermark("spread", KEY, PAYLOAD)


@pytest.fixture(scope="module")
def marked(watermark):
    return watermark.embed(babble(4), RATE)


def through(wav, format, subtype, level):
    stream = io.BytesIO()
    with soundfile.SoundFile(
        stream, "w", RATE, 1, format=format, subtype=subtype, compression_level=level
    ) as sink:
        sink.write(wav)
    stream.seek(0)
    return soundfile.read(stream, dtype="float32")


ATTACKS = {
    "none": lambda wav: (wav, RATE),
    "16 kHz": lambda wav: (soxr.resample(wav, RATE, 16000), 16000),
    "8 kHz": lambda wav: (soxr.resample(wav, RATE, 8000), 8000),
    "gain": lambda wav: (0.1 * wav, RATE),
    "faster": lambda wav: (soxr.resample(wav, 1.02 * RATE, RATE), RATE),
    "slower": lambda wav: (soxr.resample(wav, 0.98 * RATE, RATE), RATE),
    "begins later": lambda wav: (wav[RATE + 77 :], RATE),
    "mp3": lambda wav: through(wav, "MP3", "MPEG_LAYER_III", 0.2),
    "opus": lambda wav: through(wav, "OGG", "OPUS", 0.93),
    "noise": lambda wav: (
        wav + 0.1 * wav.std() * np.random.default_rng(1).standard_normal(len(wav)).astype(np.float32),
        RATE,
    ),
    "a part of something longer": lambda wav: (np.concatenate([babble(12, seed=2), wav, wav]), RATE),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_found_with_its_payload(attack, watermark, marked):
    found = watermark.detect(*ATTACKS[attack](marked))
    assert found.marked
    assert found.chance < 1e-6
    assert found.payload == PAYLOAD


@pytest.mark.parametrize("attack", ["noise", "begins later"])
def test_two_seconds_are_enough(attack, watermark):
    for seed in range(3):
        found = watermark.detect(*ATTACKS[attack](watermark.embed(babble(2, seed=seed), RATE)))
        assert found.payload == PAYLOAD


def test_who_does_not_know_the_key_finds_nothing(watermark, marked):
    assert not build_watermark("spread", "another key", PAYLOAD).detect(marked, RATE).marked
    found = watermark.detect(babble(4), RATE)
    assert not found.marked
    assert found.payload is None
    assert found.chance > 1e-3


def test_any_cut_into_chunks_gives_the_same_samples(watermark, marked):
    wav = babble(4)
    for sizes in ([1], [100, 7, 0, 9000], [len(wav)]):
        stream, chunks, start, number = watermark.stream(RATE), [], 0, 0
        while start < len(wav) and (sizes != [1] or start < 2000):
            size = sizes[number % len(sizes)]
            chunks.append(stream.push(wav[start : start + size]))
            start, number = start + size, number + 1
        chunks.append(stream.flush())
        made = np.concatenate(chunks)
        if sizes == [1]:
            assert len(made) == 2000
            made = made[:500]
        assert np.array_equal(made, marked[: len(made)])


def test_what_leaves_is_at_most_three_frames_behind(watermark):
    stream = watermark.stream(RATE)
    assert len(stream.push(babble(1))) >= RATE - 3 * round(spread_detector.HOP * RATE)


@pytest.mark.parametrize("samples", [0, 1, 300, 5000])
def test_short_sounds_keep_their_length_and_are_not_signed(samples, watermark):
    wav = babble(1)[:samples]
    made = watermark.embed(wav, RATE)
    assert made.shape == wav.shape
    assert made.dtype == np.float32
    assert not watermark.detect(wav, RATE).marked


def test_silence_and_constants_are_left_as_they_are(watermark):
    silence = np.zeros(RATE, dtype=np.float32)
    assert np.array_equal(watermark.embed(silence, RATE), silence)
    assert watermark.detect(silence, RATE).chance == 1
    assert watermark.detect(silence + 0.5, RATE).chance == 1


def test_the_change_is_small(watermark, marked):
    wav = babble(4)
    assert 10 * np.log10(np.mean((marked - wav) ** 2) / np.mean(wav**2)) < -15


def test_signs_of_a_key_stay_what_they_are():
    book = codebook(KEY)
    assert book.shape == (BLOCKS, VALUES, SLOTS * BANDS // BLOCKS)
    assert abs(book.mean()) < 0.01
    # A mark that was made years ago is found by these.
    assert book[0, 0, :8].tolist() == [-1, 1, -1, -1, 1, -1, -1, 1]
    assert signs(KEY, 1)[0, 0] == book[0, 0, 0]
    assert not np.array_equal(signs(KEY, 0), signs(KEY, 256))


def test_chance_is_a_bound_for_sound_without_mark():
    """Of many keys on unmarked sound, no more than its share is as improbable as it says."""
    wav = babble(2, rate=spread_detector.RATE).astype(np.float64)
    grids = next(spread_detector.folded(wav))
    statistics = [spread_detector.search(grids, spectra(str(key)))[0].max() for key in range(60)]
    tried = len(grids) * SLOTS * VALUES**BLOCKS
    chances = np.array([spread_detector.chance_of(statistic) * tried for statistic in statistics])
    for limit in (0.1, 0.5):
        assert np.mean(chances <= limit) <= limit + 0.05


def test_every_offset_and_payload_is_looked_at():
    """The search by spectra agrees with sums over the cells."""
    rng = np.random.default_rng(0)
    for payload, offset in ((0, 0), (PAYLOAD, 5), (65535, SLOTS - 1)):
        grids = rng.standard_normal((2, SLOTS, BANDS))
        grids[1] += np.roll(signs(KEY, payload), offset, axis=0)
        statistics, payloads = spread_detector.search(grids, spectra(KEY))
        expected = np.sum(np.roll(grids[1], -offset, axis=0) * signs(KEY, payload))
        assert payloads[offset, 1] == payload
        assert statistics.max() == statistics[offset, 1]
        assert statistics[offset, 1] == pytest.approx(expected / np.sqrt(np.sum(grids[1] ** 2)), rel=1e-4)


def test_a_sound_that_begins_where_the_mark_does_needs_less(monkeypatch):
    """Few hypotheses are tried of it, so that the same cells are more beyond chance."""
    window, chances = np.zeros(2 * spread_detector.RATE), []
    for offset in (0, 5):
        grids = np.zeros((spread_detector.PHASES, SLOTS, BANDS))
        grids[0, :2, :30] = signs(KEY, PAYLOAD)[:2, :30]
        rolled = np.roll(grids, offset, axis=1)
        monkeypatch.setattr(spread_detector, "folded", lambda _, rolled=rolled: iter([rolled]))
        chance, _ = min(spread_detector.candidates([window], KEY))
        chances.append(chance)
    tried = len(spread_detector.speeds(window)) * SLOTS * spread_detector.PHASES
    assert chances[1] / chances[0] == pytest.approx(tried / len(spread_detector.BEGINNING), rel=1e-3)


def test_kinds_that_there_are_not_and_rates_too_low_are_named():
    assert build_watermark("none", KEY, 0) is None
    assert list(WATERMARKS) == ["spread", "perth"]
    with pytest.raises(InputError, match="there is no 'spred'.*did you mean 'spread'"):
        build_watermark("spred", KEY, 0)
    with pytest.raises(InputError, match="needs 8000 Hz, not 4000"):
        build_watermark("spread", KEY, 0).stream(4000)
