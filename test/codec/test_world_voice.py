"""The world codec with what a voice has of its own coded apart from what is said."""

import numpy as np
import pytest
from codec_samples import OPTIONS, RATE, voices, vowel

from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_fit import build_features
from espnet2_valle.common.conf import find, read_config
from espnet2_valle.common.errors import InputError

VOICE = {
    **OPTIONS,
    "features": {**OPTIONS["features"], "voice_cepstra": 11},
    "stages": [
        {"voicing": 6.0, "pitch": 5.0, "c0": 0.3, "c1-11": 1.0, "breath": 0.1},
        {"voice_pitch": 5.0, "gain": 0.5},
        {"voice_c1-11": 1.0, "voice_high": 0.7, "voice_breath": 0.5},
    ],
}
OF_THE_VOICE = [1, 2]


@pytest.fixture(scope="module")
def features():
    return build_features(WorldConfig.from_dict(VOICE, "test"))


@pytest.fixture(scope="module")
def codec(features):
    return WorldCodec.fit(VOICE, [features.analyse(wav) for wav in voices()])


def test_the_means_of_voiced_frames_are_taken_away_and_kept(features):
    plain = build_features(WorldConfig.from_dict(OPTIONS, "test"))
    wav = np.concatenate([vowel(1.0, 180, seed=5), np.zeros(RATE // 2, np.float32)])
    with_voice, without = features.analyse(wav), plain.analyse(wav)
    voiced = (without[:, 0] > 0.5) & plain.holds_speech(without)
    assert 0 < voiced.sum() < len(voiced)
    np.testing.assert_allclose(with_voice[voiced][:, features.own_columns].mean(0), 0, atol=1e-4)
    means = without[voiced][:, features.own_columns].mean(0)
    np.testing.assert_allclose(
        with_voice[:, features.voice_columns], np.tile(means, (len(voiced), 1)), atol=1e-4
    )
    given_back = features.give_voice(with_voice.astype(np.float64))
    np.testing.assert_allclose(given_back[:, : without.shape[1]], without, atol=1e-4)


def test_the_codes_of_the_voice_are_the_same_in_all_frames(codec):
    codes = codec.encode(vowel(1.5, 180, seed=5))
    assert len(np.unique(codes[:, OF_THE_VOICE], axis=0)) == 1
    assert len(np.unique(codes[:, 0])) > 1


def test_the_codebooks_of_the_utterance_are_told(codec):
    assert codec.spec.utterance_codebooks == len(OF_THE_VOICE)
    mixed = {**VOICE, "stages": [*VOICE["stages"][:1], {"voicing": 1.0, "gain": 0.5}, *VOICE["stages"][1:]]}
    features = [codec.features.analyse(wav) for wav in voices()]
    assert WorldCodec.fit(mixed, features).spec.utterance_codebooks == 0


def test_the_codes_of_another_voice_change_the_voice_and_nothing_else(codec, features):
    low, high = codec.encode(vowel(1.5, 110, seed=5)), codec.encode(vowel(1.5, 220, seed=6))
    swapped = low.copy()
    swapped[:, OF_THE_VOICE] = high[0, OF_THE_VOICE]
    f0 = [
        np.exp(features.analyse(codec.decode(codes))[0, features.voice_columns[0]])
        for codes in (low, swapped)
    ]
    assert f0[0] == pytest.approx(110, rel=0.1)
    assert f0[1] == pytest.approx(220, rel=0.1)


def test_a_few_frames_of_another_voice_do_not_change_it(codec):
    codes = codec.encode(vowel(1.5, 110, seed=5))
    strayed = codes.copy()
    strayed[10:20, OF_THE_VOICE] = (codes[0, OF_THE_VOICE] + 7) % codec.codebook_size
    strayed[10:20, OF_THE_VOICE[0]] = codes[0, OF_THE_VOICE[0]]  # with it goes the level
    np.testing.assert_array_equal(codec.decode(codes), codec.decode(strayed))


def test_a_part_has_the_voice_of_its_utterance(codec, features):
    codes = codec.encode(vowel(2.0, 110, seed=5))
    strayed = codes[:40].copy()
    strayed[:, OF_THE_VOICE] = (codes[0, OF_THE_VOICE] + 7) % codec.codebook_size
    np.testing.assert_array_equal(codec.decode_part(strayed, codes), codec.decode_part(codes[:40], codes))


def test_no_voiced_frame(codec):
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    assert np.isfinite(codec.decode(codec.encode(noise))).all()
    assert np.isfinite(codec.decode(codec.encode(np.zeros(RATE, np.float32)))).all()


def test_the_config_is_that_of_world_but_for_the_voice():
    voice, plain = (read_config(find(f"codec/{name}.yaml")) for name in ("world_voice", "world"))
    config = WorldConfig.from_dict(voice, "test")
    assert (config.features.voice_cepstra, config.fit.voice_jitter) == (31, 0.5)
    assert voice["stages"][0] == plain["stages"][0]
    for options in (voice, plain):
        options["features"].pop("voice_cepstra", None)
        options["fit"].pop("voice_jitter", None)
        del options["stages"]
    assert voice == plain


@pytest.mark.parametrize("count", [-1, 12])
def test_more_means_than_cepstra_are_told(count):
    with pytest.raises(InputError, match="voice_cepstra"):
        WorldConfig.from_dict(
            {**OPTIONS, "features": {**OPTIONS["features"], "voice_cepstra": count}}, "test"
        )


def test_a_latent_with_another_pitch_sounds_so_whatever_its_voices_is(codec, features):
    latent = codec.latent(codec.encode(vowel(1.5, 150, seed=5)))
    changed = codec.with_pitch(latent, np.full(len(latent), np.log(200.0)))
    spoken = features.give_voice(changed.astype(np.float64))
    np.testing.assert_allclose(np.exp(spoken[:, features.names.index("pitch")]), 200, rtol=1e-3)
    np.testing.assert_array_equal(changed[:, features.voice_columns], latent[:, features.voice_columns])
