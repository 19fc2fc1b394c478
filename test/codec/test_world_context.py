"""The world codec whose first codebook is learnt."""

import numpy as np
import pytest
import torch
from codec_samples import OPTIONS, voices, vowel

from espnet2_valle.codec.world import WorldCodec, framed, own, tell
from espnet2_valle.codec.world_config import ContextConfig, WorldConfig
from espnet2_valle.codec.world_context import ContextNetwork, Prior, rounded
from espnet2_valle.codec.world_fit import build_features
from espnet2_valle.common.conf import find, read_config
from espnet2_valle.common.errors import InputError

CONTEXT = {
    "levels": [4, 4, 4],
    "width": 32,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "steps": 150,
    "segment": 50,
}
LEARNT = {
    **OPTIONS,
    "features": {**OPTIONS["features"], "voice_cepstra": 11},
    "context": CONTEXT,
    "stages": [
        {"voicing": 6.0, "pitch": 5.0, "c0-11": 1.0, "breath": 0.1},
        {"voice_pitch": 5.0, "gain": 0.5},
        {"voice_c1-11": 1.0, "voice_high": 0.7, "voice_breath": 0.5},
        {"c0-11": 1.0},
    ],
}
OWN = [1, 2]


@pytest.fixture(scope="module")
def analysed():
    features = build_features(WorldConfig.from_dict(LEARNT, "test"))
    return [features.analyse(wav) for wav in voices()]


@pytest.fixture(scope="module")
def codec(analysed):
    return WorldCodec.fit(LEARNT, analysed)


def error(codec, features, codes):
    columns = codec.features.columns("c0-11")
    return np.mean((codec.decode_features(codes)[:, columns] - features[:, columns]) ** 2)


def test_the_codes_tell_the_sound_and_more_codebooks_tell_more(codec, analysed):
    columns = codec.features.columns("c0-11")
    mean = np.concatenate(analysed)[:, columns].mean(0)
    for wav, features in zip(voices(), analysed, strict=True):
        codes = codec.encode(wav).astype(np.int64)
        first, whole = error(codec, features, codes[:, :3]), error(codec, features, codes)
        assert whole < first < 0.6 * np.mean((features[:, columns] - mean) ** 2)


def test_the_codes_of_the_voice_are_those_of_the_utterance(codec):
    assert codec.spec.utterance_codebooks == len(OWN)
    codes = codec.encode(vowel(1.5, 180, seed=5))
    assert len(np.unique(codes[:, OWN], axis=0)) == 1


def test_a_code_depends_on_neighbours_and_on_no_others(codec, analysed):
    frames = framed(analysed[0], codec.features).copy()
    reach = 2 * (CONTEXT["encoder_blocks"] + 1)
    before = codec.context.encode(frames)
    frames[50] += 3.0
    changed = np.flatnonzero(before != codec.context.encode(frames))
    assert len(changed)
    assert changed.min() >= 50 - reach
    assert changed.max() <= 50 + reach


def test_sound_depends_on_codes_within_reach(codec):
    codes = np.random.default_rng(0).integers(0, 64, 60)
    voice = codec.context.voice_mean.numpy()
    before = tell(codec.context, codes, voice, codec.features)
    codes[30] = (codes[30] + 21) % 64
    changed = np.flatnonzero(np.abs(before - tell(codec.context, codes, voice, codec.features)).max(1) > 1e-5)
    reach = codec.context.config.reach
    assert 30 - reach <= changed.min() < 30 < changed.max() <= 30 + reach
    assert codec.right_context * codec.frame_rate >= reach


def test_a_part_is_decoded_as_in_the_whole(codec):
    codes = codec.encode(vowel(2.0, 180, seed=5)).astype(np.int64)
    whole = codec.decode_features(codes)
    left, right = (
        int(np.ceil(seconds * codec.frame_rate)) for seconds in (codec.left_context, codec.right_context)
    )
    part = codec.decode_features(
        codes[30 - left : 60 + right], own(codec.quantizer.decode(codes[:10]), codec.features)
    )
    np.testing.assert_allclose(part[left:-right], whole[30:60], atol=1e-4)


def test_the_same_utterances_give_the_same_codec_and_it_is_read_as_written(codec, analysed, tmp_path):
    codec.save(tmp_path / "a.npz")
    WorldCodec.fit(LEARNT, analysed).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    wav = vowel(1.0, 150, seed=3)
    codes = codec.encode(wav)
    opened = WorldCodec.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(opened.encode(wav), codes)
    np.testing.assert_array_equal(opened.decode(codes), codec.decode(codes))


def test_fitting_leaves_the_random_state_of_others_alone(analysed):
    torch.manual_seed(7)
    wanted = torch.rand(1)
    torch.manual_seed(7)
    WorldCodec.fit({**LEARNT, "context": {**CONTEXT, "steps": 1}}, analysed)
    assert torch.equal(torch.rand(1), wanted)


@pytest.mark.parametrize("codebooks", [1, 2])
def test_a_voice_that_is_left_out_is_the_mean_one(codec, codebooks):
    codes = codec.encode(vowel(1.0, 150, seed=3)).astype(np.int64)[:, :codebooks]
    voice = codec.decode_features(codes)[:, codec.features.voice_columns]
    np.testing.assert_allclose(voice, np.tile(codec.context.voice_mean.numpy(), (len(codes), 1)))


def test_a_voice_far_off_counts_as_one_at_the_limit(codec):
    codes, context = np.arange(20), codec.context
    mean, spread = context.voice_mean.numpy(), context.voice_spread.numpy()
    far, limit = (context.decode(codes, mean + times * spread) for times in (50, 3))
    np.testing.assert_allclose(far, limit, atol=1e-4)


def test_codewords_lie_on_the_grid_as_their_codes_do(codec):
    words = codec.codewords()
    assert [len(one) for one in words] == [codec.codebook_size] * codec.num_codebooks
    assert len(np.unique(words[0], axis=0)) == 64
    assert np.abs(words[0][1] - words[0][0]).max() == pytest.approx(2 / 3)
    assert np.abs(words[0]).max() == 1


def test_the_gradient_passes_the_rounding():
    network = ContextNetwork(ContextConfig(levels=(4, 4), width=8, encoder_blocks=1, decoder_blocks=1), 5, 0)
    frames = torch.randn(2, 5, 9)
    grid = rounded(network.place(frames))
    assert torch.allclose(grid, grid.round(), atol=1e-5)
    network.restore(grid, torch.zeros(2, 0)).square().sum().backward()
    assert network.squeeze.weight.grad.abs().sum() > 0
    assert network.read.weight.grad.abs().sum() > 0


def test_a_code_costs_what_the_codes_before_it_leave_open():
    torch.manual_seed(0)
    prior, grid = Prior((4, 3)).eval(), torch.randint(0, 3, (1, 2, 12)).float()
    cost = prior(grid, grid)
    other = grid.clone()
    other[:, :, 6] = (other[:, :, 6] + 1) % 3
    changed = prior(other, other)
    assert torch.allclose(cost[:, :6], changed[:, :6], atol=1e-5)
    assert not torch.allclose(cost[:, 7:], changed[:, 7:], atol=1e-4)
    every = torch.cartesian_prod(torch.arange(4.0), torch.arange(3.0)).T.reshape(2, 12, 1).transpose(0, 1)
    assert prior(every, every).neg().exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_a_cheaper_level_draws_a_code():
    torch.manual_seed(0)
    prior = Prior((4,)).eval()
    exact = torch.full((1, 1, 1), 1.4, requires_grad=True)
    cost = prior(exact, rounded(exact))
    low, high = (prior(torch.full((1, 1, 1), at), torch.full((1, 1, 1), at)) for at in (1.0, 2.0))
    assert cost.item() == pytest.approx(low.item(), rel=1e-4)
    cost.sum().backward()
    assert np.sign(exact.grad.item()) == np.sign((high - low).item())


def test_codes_that_cost_something_repeat_themselves(analysed):
    free, costly = (
        WorldCodec.fit({**LEARNT, "context": {**CONTEXT, "rate_weight": weight}}, analysed)
        for weight in (0.0, 100.0)
    )
    changes = [np.diff(codec.encode(vowel(2.0, 180, seed=5))[:, 0]) != 0 for codec in (free, costly)]
    assert changes[1].mean() < 0.7 * changes[0].mean()


def test_few_frames_get_fewer_codes(analysed):
    few = WorldCodec.fit({**LEARNT, "context": {**CONTEXT, "steps": 2}}, [analysed[0][:50]])
    assert few.codebook_size == 16
    assert few.context.config.levels == (4, 4)
    assert few.encode(vowel(0.5, 150)).max() < 16


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"levels": [4, 4]}, "make 16 codes, not codebook_size 64"),
        ({"levels": [64, 1]}, "levels above 1"),
        ({"kernel": 4}, "kernel 4 is even"),
        ({"steps": 0}, "context.steps is 0"),
        ({"learning_rate": -1}, "context.learning_rate is -1"),
        ({"widht": 8}, "widht"),
    ],
)
def test_wrong_options_are_named(wrong, message):
    with pytest.raises(InputError, match=message):
        WorldConfig.from_dict({**LEARNT, "context": {**CONTEXT, **wrong}}, "test")


def test_weights_of_another_size_are_told(codec, tmp_path):
    arrays = {**codec.context.arrays(), "context/squeeze.bias": np.zeros(7, np.float32)}
    np.savez(
        tmp_path / "codec.npz",
        codebooks=codec.quantizer.codebooks,
        scales=codec.quantizer.scales,
        options=np.load(_saved(codec, tmp_path))["options"],
        **arrays,
    )
    with pytest.raises(InputError, match="not a world codec"):
        WorldCodec.load(tmp_path / "codec.npz")


def _saved(codec, folder):
    codec.save(folder / "whole.npz")
    return folder / "whole.npz"


def test_the_shipped_config_is_one(analysed):
    options = read_config(find("codec/world_context.yaml"))
    config = WorldConfig.from_dict(options, "test")
    assert config.context.size == config.codebook_size
    assert config.features.voice_cepstra


def test_the_voice_is_the_utterances_own(codec, analysed):
    np.testing.assert_allclose(own(analysed[1], codec.features), analysed[1][0, codec.features.voice_columns])


def test_the_latent_is_what_decoding_makes_sound_of_and_no_sum_of_codewords(codec):
    codes = codec.encode(vowel(1.0, 150))
    latent = codec.latent(codes)
    np.testing.assert_array_equal(codec.decode_latent(latent), codec.decode(codes))
    assert codec.latent_codewords() is None
