"""What a world codec is fitted on."""

import numpy as np
import pytest
from codec_samples import OPTIONS, RATE, vowel

from espnet2_valle.codec.abs_codec import CodecSource
from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_fit import analyse_file, enough_wavs
from espnet2_valle.common.audio import write_audio


@pytest.fixture
def wavs(tmp_path):
    """Six sound files of a second."""
    paths = [str(tmp_path / f"{number}.wav") for number in range(6)]
    for number, path in enumerate(paths):
        write_audio(path, vowel(1.0, 100 + 15 * number, seed=number), RATE)
    return paths


def test_no_more_files_are_drawn_than_last_long_enough(wavs):
    assert len(enough_wavs(wavs, 2.5, seed=0)) == 3
    assert enough_wavs(wavs, 2.5, seed=0) == enough_wavs(wavs, 2.5, seed=0)
    assert {tuple(enough_wavs(wavs, 2.5, seed)) for seed in range(5)} != {tuple(enough_wavs(wavs, 2.5, 0))}
    assert sorted(enough_wavs(wavs, 100.0, seed=0)) == wavs


def test_a_file_at_another_rate_is_analysed_at_the_codecs(features, tmp_path):
    write_audio(tmp_path / "low.wav", vowel(0.5, 120, rate=8000), 8000)
    analysed = analyse_file(WorldConfig.from_dict(OPTIONS, "test"), str(tmp_path / "low.wav"))
    assert analysed.shape == (25, features.dim)
    assert np.isfinite(analysed).all()


def test_files_and_their_features_give_the_same_codec(wavs, tmp_path):
    model, options = WorldCodec.prepare(CodecSource(tmp_path, OPTIONS, "world.yaml", wavs=wavs))
    assert (model, options) == ("codec.npz", {})
    config = WorldConfig.from_dict(OPTIONS, "test")
    drawn = enough_wavs(wavs, 40.0, seed=0)
    WorldCodec.fit(OPTIONS, [analyse_file(config, path) for path in drawn]).save(tmp_path / "other.npz")
    assert (tmp_path / "codec.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()
