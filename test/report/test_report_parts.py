import base64
import io

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.report.chart import nice_ticks
from espnet2_valle.report.curves import Curve, read_curves, training_chart
from espnet2_valle.report.examples import BEST, RANDOM, WORST, choose
from espnet2_valle.report.media import audio_uri, spectrogram, spectrogram_uri
from espnet2_valle.report.page import duration


def tone(hertz, rate, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def decode(uri):
    return base64.b64decode(uri.partition(",")[2])


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 12345])
def test_audio_survives_compression(rate):
    wav = 0.5 * tone(440, rate)
    got, got_rate = soundfile.read(io.BytesIO(decode(audio_uri(wav, rate))))
    assert got_rate == rate
    assert len(got) / rate == pytest.approx(1.0, abs=0.15)
    spectrum = np.abs(np.fft.rfft(got))
    assert spectrum.argmax() * rate / len(got) == pytest.approx(440, abs=5)


def test_louder_than_full_scale_is_clipped_not_refused():
    assert audio_uri(3 * tone(440, 16000), 16000).startswith("data:audio/")


def test_a_tone_is_a_line_at_its_place():
    levels = spectrogram(tone(3000, 16000))
    rows = levels[:, 20:-20].argmax(axis=0)
    assert rows * 16000 / 400 == pytest.approx(np.full(rows.size, 3000), abs=40)
    assert levels.max() == pytest.approx(0, abs=0.1)


def test_pictures_are_small_and_low_tones_lie_below():
    content = decode(spectrogram_uri(tone(200, 24000, seconds=20), 24000))
    picture = Image.open(io.BytesIO(content)).convert("L")
    pixels = np.asarray(picture)
    assert picture.width <= 360
    assert len(content) < 50_000
    assert pixels[-20:].mean() > pixels[:20].mean() + 10


@pytest.mark.parametrize("wav", [np.zeros(16000, np.float32), tone(100, 16000)[:1]])
def test_silence_and_single_samples_have_a_picture(wav):
    assert spectrogram_uri(wav, 16000).startswith("data:image/png")


FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 6))


@given(FLOATS, FLOATS)
def test_ticks_are_few_and_span_the_values(one, other):
    low, high = sorted((one, other))
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert ticks == sorted(ticks)
    assert 2 <= len(ticks) <= 7
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack


@example([5e-324])
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_charts_stay_in_their_frame(values):
    chart = training_chart(Curve("Loss", {"train": [(float(n), v) for n, v in enumerate(values, 1)]}))
    for corner in chart.lines[0].corners.split():
        x, y = map(float, corner.split(","))
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.bottom


def test_curves_of_an_absent_directory(tmp_path):
    assert read_curves(tmp_path / "ar") == []


def test_curves_of_a_resumed_training_count_the_later_value(tmp_path):
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
    for part, values in enumerate(([3.0, 2.0], [1.5, 1.0])):
        stream = writer(str(tmp_path / "tensorboard" / "train"), filename_suffix=str(part))
        for epoch, value in enumerate(values, 1 + part):
            stream.add_scalar("loss", value, 10 * epoch)
            stream.add_scalar("iter_epoch", epoch, 10 * epoch)
        stream.close()
    (curve,) = read_curves(tmp_path)
    assert curve.series == {"train": [(1.0, 3.0), (2.0, 1.5), (3.0, 1.0)]}


def row(number, heard, sim=0.5):
    return UtteranceScore(f"p{number:02}", "", "one two", heard, None, 1.0 if heard else 0.0, sim, None, 3.0)


def test_examples_are_labelled_by_what_they_are():
    rows = (
        [row(n, "one two", sim=n / 100) for n in range(10)]
        + [row(n, "one") for n in range(10, 19)]
        + [row(19, "")]
    )
    chosen = choose(rows, 8, seed=1)
    assert [pair for pair, choice in chosen.items() if choice == BEST] == ["p09", "p08"]
    assert [pair for pair, choice in chosen.items() if choice == WORST] == ["p19", "p18"]
    drawn = [pair for pair, choice in chosen.items() if choice == RANDOM]
    assert len(drawn) == 4
    assert choose(rows, 8, seed=1) == chosen
    assert choose(rows, 8, seed=2) != chosen


@given(st.integers(0, 30), st.integers(0, 40))
def test_never_more_examples_than_pairs_and_none_twice(size, count):
    chosen = choose([row(n, "one two") for n in range(size)], count)
    assert len(chosen) == min(size, count)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3800, "1 h 3 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
