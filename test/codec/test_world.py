import logging

import numpy as np
import pytest
from codec_samples import OPTIONS, RATE, vowel
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.common.errors import InputError

HOP = 320
GAIN_STAGE = 1  # the one that codes the level


@settings(max_examples=15, deadline=None)
@given(samples=st.integers(1, 3 * HOP + 1), seed=st.integers(0, 99))
def test_shapes_types_and_range(codec, samples, seed):
    wav = (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)
    codes = codec.encode(wav)
    assert codes.shape == (-(-samples // HOP), 3) == (codec.num_frames(samples), 3)
    assert codes.dtype == np.int16
    assert 0 <= codes.min() <= codes.max() < 64
    sound = codec.decode(codes)
    assert sound.shape == (len(codes) * HOP,)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()


@settings(max_examples=15, deadline=None)
@given(
    codes=st.lists(st.lists(st.integers(0, 63), min_size=3, max_size=3), min_size=1, max_size=9),
    levels=st.integers(1, 3),
)
def test_any_codes_decode_to_sound(codec, codes, levels):
    sound = codec.decode(np.array(codes)[:, :levels])
    assert sound.shape == (len(codes) * HOP,)
    assert np.isfinite(sound).all()


def test_codewords_lie_as_the_quantiser_sees_them(codec, analysed):
    residual = analysed[0]
    points = (
        residual[:, codec.quantizer.scales[0] > 0] * codec.quantizer.scales[0][codec.quantizer.scales[0] > 0]
    )
    words = codec.codewords()
    assert [len(one) for one in words] == [codec.codebook_size] * codec.num_codebooks
    distances = ((points[:, None] - words[0]) ** 2).sum(2)
    np.testing.assert_array_equal(distances.argmin(1), codec.quantizer.choose(0, residual))


@pytest.mark.parametrize("decibels", [-12, 12])
def test_a_shift_of_level_changes_no_code_but_the_gain(codec, decibels):
    wav = vowel(1.5, 170, seed=9)
    codes = codec.encode(wav)
    shifted = codec.encode(wav * np.float32(10 ** (decibels / 20)))
    others = [stage for stage in range(3) if stage != GAIN_STAGE]
    assert (codes[:, others] == shifted[:, others]).mean() > 0.995
    assert (codes[:, GAIN_STAGE] != shifted[:, GAIN_STAGE]).mean() > 0.9


@pytest.mark.parametrize("decibels", [-20, 0, 12])
def test_the_level_comes_back(codec, decibels):
    wav = vowel(1.5, 170, seed=9) * np.float32(10 ** (decibels / 20))
    sound = codec.decode(codec.encode(wav))
    change = 10 * np.log10(np.mean(sound**2) / np.mean(wav**2))
    assert abs(change) < 5  # 64 codewords for pitch and 60 dB of gain


def test_pitch_and_spectrum_come_back(codec, features):
    wav = vowel(1.5, 180, seed=5)
    before = features.analyse(wav)
    after = features.analyse(codec.decode(codec.encode(wav)))
    voiced = (before[:, 0] > 0.9) & (after[:, 0] > 0.9)
    assert voiced.mean() > 0.3
    assert np.median(np.abs(before - after)[voiced, 1]) < 0.06
    assert np.corrcoef(before[voiced, 3], after[voiced, 3])[0, 1] > 0.7


def test_each_codebook_brings_the_features_nearer(codec, analysed):
    vectors = np.concatenate(analysed)
    codes = codec.quantizer.encode(vectors)
    shape = codec.features.columns("c1-11")
    errors = [
        ((vectors - codec.quantizer.decode(codes[:, :levels]))[:, shape] ** 2).mean() for levels in (1, 3)
    ]
    assert errors[1] < 0.8 * errors[0] < 0.8 * vectors[:, shape].var(axis=0).mean()


def test_decoded_cepstra_take_a_share_of_their_neighbours(codec):
    codes = np.zeros((5, 3), dtype=np.int16)
    codes[2] = 1
    plain, smoothed = codec.quantizer.decode(codes), codec.decode_features(codes)
    leap = plain[2] - plain[1]
    names = codec.features.names
    index = [int(name[1:]) if name.startswith("c") else 0 for name in names]
    share = np.minimum(0.02 * np.array(index), 0.15)
    assert max(share) == 0.15
    np.testing.assert_allclose(smoothed[[0, 4]], plain[[0, 4]], atol=1e-5)
    for neighbour in (1, 3):
        np.testing.assert_allclose(smoothed[neighbour] - plain[neighbour], share * leap, atol=1e-5)
    np.testing.assert_allclose(smoothed[2] - plain[2], -2 * share * leap, atol=1e-5)


@pytest.mark.parametrize("option", [{"smoothing": -0.1}, {"max_smoothing": 0.6}])
def test_smoothing_that_is_no_weight(option, analysed):
    with pytest.raises(InputError, match="smoothing"):
        WorldCodec.fit({**OPTIONS, **option}, analysed)


def test_encoding_is_deterministic(codec):
    wav = vowel(0.5, 120)
    np.testing.assert_array_equal(codec.encode(wav), codec.encode(wav))


def test_the_same_fit_gives_the_same_bytes(analysed, codec, tmp_path):
    WorldCodec.fit(OPTIONS, analysed).save(tmp_path / "a.npz")
    codec.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_save_and_load(codec, tmp_path):
    codec.save(tmp_path / "codec.npz")
    again = WorldCodec.load(tmp_path / "codec.npz")
    wav = vowel(0.7, 130)
    codes = codec.encode(wav)
    np.testing.assert_array_equal(again.encode(wav), codes)
    np.testing.assert_array_equal(again.decode(codes), codec.decode(codes))
    assert again.spec == codec.spec


@pytest.mark.parametrize("samples", [1, 100, RATE])
def test_silence(codec, samples):
    codes = codec.encode(np.zeros(samples, dtype=np.float32))
    assert np.abs(codec.decode(codes)).max() < 0.02


@pytest.mark.parametrize(
    "wav", [np.zeros(0), np.zeros((2, 100)), np.array([0.1, np.nan] * 400)], ids=["empty", "stereo", "nan"]
)
def test_what_is_no_waveform(codec, wav):
    with pytest.raises(ValueError, match="waveform of shape"):
        codec.encode(wav)


@pytest.mark.parametrize("codes", [np.zeros((5, 4)), np.zeros(5), np.full((5, 3), 64), np.full((5, 3), -1)])
def test_what_are_no_codes(codec, codes):
    with pytest.raises(ValueError, match="codes"):
        codec.decode(codes)


def test_no_codes_are_no_sound(codec):
    assert codec.decode(np.zeros((0, 3), dtype=np.int16)).shape == (0,)


def test_too_little_speech_to_fit(analysed):
    with pytest.raises(InputError, match=r"30 frames cannot fill 64 codewords"):
        WorldCodec.fit(OPTIONS, [analysed[0][:30]])


@pytest.mark.parametrize(("frames", "size"), [(63, 16), (40, 16), (64, 64)])
def test_little_speech_gives_fewer_codewords_and_that_is_told(analysed, tmp_path, caplog, frames, size):
    with caplog.at_level(logging.WARNING):
        codec = WorldCodec.fit(OPTIONS, [np.concatenate(analysed)[:frames]])
    assert codec.codebook_size == size
    assert (f"cannot fill 64 codewords, so codebooks have {size}" in caplog.text) == (size < 64)
    codec.save(tmp_path / "codec.npz")
    opened = WorldCodec.load(tmp_path / "codec.npz")
    assert opened.codebook_size == size
    assert opened.encode(np.zeros(100, dtype=np.float32)).max() < size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame_rte": 50}, "no key 'frame_rte'"),
        ({"features": {"num_cepstrum": 3}}, "features: there is no key 'num_cepstrum'"),
        ({"fit": {"iteration": 3}}, "fit: there is no key 'iteration'"),
        ({"features": {"f0_method": "swipe"}}, "f0_method 'swipe'"),
        ({"frame_rate": 51}, "frame_rate 51 does not divide"),
        ({"codebook_size": "many"}, "codebook_size is 'many'"),
        ({"stages": []}, "stages are empty"),
        ({"stages": [{}]}, "stage 1 looks at nothing"),
        ({"stages": [{"c0": 1.0}, {"c12": 1.0}]}, "stage 2 names an unknown dimension 'c12'"),
        ({"stages": [{"c0": -1}]}, "gives c0 the weight -1"),
        ({"features": {"split": 8000.0}}, "split 8000 is not below half"),
    ],
)
def test_a_configuration_at_fault_is_told(analysed, change, message):
    with pytest.raises(InputError, match=message):
        WorldCodec.fit({**OPTIONS, **change}, analysed, "world.yaml")


def test_a_missing_option_is_told(analysed):
    options = {key: value for key, value in OPTIONS.items() if key != "stages"}
    with pytest.raises(InputError, match="lacks the key 'stages'"):
        WorldCodec.fit(options, analysed)


def test_a_file_that_is_no_codec(tmp_path):
    with pytest.raises(InputError, match=r"a\.npz: no such codec"):
        WorldCodec.load(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"a\.npz: not a world codec"):
        WorldCodec.load(tmp_path / "a.npz")


def test_the_latent_is_what_decoding_makes_sound_of(codec):
    codes = codec.encode(vowel(1.0, 150))
    latent = codec.latent(codes)
    assert (latent.shape, latent.dtype) == ((len(codes), codec.features.dim), np.float32)
    np.testing.assert_array_equal(codec.decode_latent(latent), codec.decode(codes))
    assert codec.decode_latent(latent[:0]).shape == (0,)


def test_latents_are_sums_of_codewords_before_they_are_smoothed(codec):
    codes = codec.encode(vowel(1.0, 150))
    summed = codec.latent_codewords().sum(codes)
    rough = codec.neighbours == 0
    np.testing.assert_allclose(codec.latent(codes)[:, rough], summed[:, rough], atol=1e-5)


@pytest.mark.parametrize("wrong", [np.zeros((3, 4)), np.zeros(3), None])
def test_what_is_no_latent_is_refused(codec, wrong):
    latent = np.full((3, codec.features.dim), np.nan) if wrong is None else wrong
    with pytest.raises(ValueError, match="a finite latent of shape"):
        codec.decode_latent(latent)


def test_a_latent_with_another_pitch_sounds_so(codec, features):
    latent = codec.latent(codec.encode(vowel(1.5, 150, seed=5)))
    before = latent.copy()
    changed = codec.with_pitch(latent, np.full(len(latent), np.log(200.0)))
    heard = features.analyse(codec.decode_latent(changed))
    voiced = heard[:, 0] > 0.5
    assert voiced.any()
    assert np.exp(np.median(heard[voiced, 1])) == pytest.approx(200, rel=0.02)
    np.testing.assert_array_equal(latent, before)
