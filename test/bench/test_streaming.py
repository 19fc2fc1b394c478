import argparse

import numpy as np
import pytest
import soundfile

from espnet2_valle.bench import longform, streaming
from espnet2_valle.bin import valle_stream
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder

PARTS = ("text", "ar_prefill", "ar_codes", "nar_prefill", "nar_chunk", "codec")
FIGURES = ("first_sound", *PARTS, "largest_gap", "stall", "real_time_factor")


def arguments(*options):
    parser = argparse.ArgumentParser()
    streaming.add_arguments(parser)
    return parser.parse_args([*options, "--repeats=1"])


def test_streams_of_two_lengths_are_timed():
    metrics = streaming.measure(arguments("--seconds", "0.5", "1"))
    assert [(metric.metric, metric.config.get("seconds")) for metric in metrics] == [
        *[(f"stream_{name}", 0.5) for name in FIGURES],
        *[(f"stream_{name}", 1.0) for name in FIGURES],
        ("stream_first_sound_flat", None),
    ]
    assert all(metric.value > 0 for metric in metrics if metric.metric != "stream_stall")


def test_long_texts_are_cut_as_by_valle_stream():
    assert valle_stream.get_parser().get_default("max_words") == arguments().max_words
    assert list(streaming._pieces(2.0, arguments())) == [(4, 2.0)]
    pieces = list(streaming._pieces(20.0, arguments()))
    assert [count for count, _ in pieces] == [12, 12, 12, 1]
    assert sum(duration for _, duration in pieces) == pytest.approx(20.0)
    assert list(streaming._pieces(20.0, arguments("--max_words=0"))) == [(37, 20.0)]


def test_a_listener_waits_where_a_chunk_comes_late():
    assert streaming.stalled([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]) == 0.0
    assert streaming.stalled([0.2, 0.5, 0.6], [0.2, 0.1, 0.5]) == pytest.approx(
        0.1
    )  # heard: 0.2-0.4, 0.5-1.1
    assert streaming.stalled([0.2, 0.5, 1.0], [0.2, 0.1, 0.5]) == pytest.approx(0.1 + 0.4)


def test_a_trained_model_needs_something_to_say():
    with pytest.raises(InputError, match="--prompt"):
        streaming.measure(arguments("--model_tag=model.zip"))
    with pytest.raises(InputError, match="--words"):
        streaming.measure(arguments("--model_tag=model.zip", "--prompt=voice.npz"))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (200.0, [(0.0, 60.0), (60.0, 120.0), (140.0, 200.0)]),
        (120.0, [(0.0, 60.0), (60.0, 120.0)]),
        (90.0, [(0.0, 45.0), (45.0, 90.0)]),
        (20.0, [(0.0, 10.0), (10.0, 20.0)]),
    ],
)
def test_minutes_of_a_recording(seconds, expected):
    assert longform.spans(seconds) == expected


class Level(AbsSpeakerEncoder):
    """Tells voices by their level: quiet ones are unlike."""

    def embed(self, wav, rate):
        return np.array([1.0, 0.0]) if np.abs(wav).max() > 0.5 else np.array([0.0, 1.0])


def test_likeness_is_that_of_its_stretch(tmp_path):
    wav = np.concatenate([np.full(80000, 0.9), np.full(40000, 0.1), np.zeros(40000)]).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", wav, 8000)
    prompt = np.full(8000, 0.9, dtype=np.float32)
    given = (tmp_path / "long.wav",)
    assert longform.likeness(*given, 0, 10, prompt, 8000, Level()) == 1.0
    assert longform.likeness(*given, 5, 15, prompt, 8000, Level()) == 0.5
    with pytest.raises(InputError, match="came out"):
        longform.likeness(*given, 15, 20, prompt, 8000, Level())


def test_texts_have_the_wanted_length():
    text = longform.make_text(["a", "b", "c"], 120, 6)
    assert len(text.split()) == 120
    assert text.count(".") == 20
    assert text == longform.make_text(["a", "b", "c"], 120, 6)
