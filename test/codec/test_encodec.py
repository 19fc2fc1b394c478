import numpy as np
import pytest
import torch
from codebooks import spread_codebooks

from espnet2_valle.bin import codec_fit
from espnet2_valle.codec import encodec
from espnet2_valle.codec.build import load_codec
from espnet2_valle.codec.encodec import EncodecCodec
from espnet2_valle.common.errors import InputError

HOP = 320


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """The real architecture with random weights and codebooks."""
    package = pytest.importorskip("encodec", reason="the extra `encodec` is not installed")
    torch.manual_seed(0)
    model = package.EncodecModel.encodec_model_24khz(pretrained=False)
    spread_codebooks(model, lambda sound: model.encoder(sound)[0].T)
    path = tmp_path_factory.mktemp("encodec") / "weights.th"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def codec(weights_file):
    return EncodecCodec(weights_file)


def noise(samples):
    return (0.1 * np.random.default_rng(1).standard_normal(samples)).astype(np.float32)


def test_the_papers_setting(codec):
    assert (codec.sample_rate, codec.frame_rate) == (24000, 75)
    assert (codec.num_codebooks, codec.codebook_size) == (8, 1024)


def test_codewords_are_what_is_added_up_before_decoding(codec):
    codes = torch.from_numpy(codec.encode(noise(4000)).astype(np.int64))
    added = sum(torch.from_numpy(words)[codes[:, level]] for level, words in enumerate(codec.codewords()))
    torch.testing.assert_close(added.T[None], codec.model.quantizer.decode(codes.T[:, None]))


@pytest.mark.parametrize("samples", [1, HOP, HOP + 1, 7777])
def test_shapes(codec, samples):
    codes = codec.encode(noise(samples))
    assert codes.shape == (codec.num_frames(samples), 8)
    assert codes.dtype == np.int16
    assert codec.decode(codes).shape == (len(codes) * HOP,)
    assert codec.decode(codes[:, :1]).shape == (len(codes) * HOP,)


def test_encoding_is_deterministic_and_uses_its_codebooks(codec):
    codes = codec.encode(noise(12000))
    np.testing.assert_array_equal(codes, codec.encode(noise(12000)))
    assert len(np.unique(codes)) > 8


def test_it_is_the_packages_own_coding(codec, weights_file):
    import encodec as package

    model = package.EncodecModel.encodec_model_24khz(pretrained=False)
    model.load_state_dict(torch.load(weights_file))
    model.eval().set_target_bandwidth(6.0)
    wav = torch.from_numpy(noise(6400))[None, None]
    with torch.no_grad():
        frames = model.encode(wav)
        sound = model.decode(frames)[0, 0].clamp(-1, 1).numpy()
    codes = codec.encode(noise(6400))
    np.testing.assert_array_equal(codes.T, frames[0][0][0].numpy())
    np.testing.assert_allclose(codec.decode(codes), sound, atol=1e-5)


@pytest.mark.parametrize("seconds", [(1.0, 0.4, 0.71), (0.05, 1.0, 0.02)])  # the shortest are mirrored
def test_a_batch_has_the_codes_of_its_utterances(codec, seconds):
    wavs = [noise(int(length * 24000) + n) for n, length in enumerate(seconds)]
    together = codec.encode_batch(wavs)
    assert len(together) == len(wavs)
    for codes, wav in zip(together, wavs):
        np.testing.assert_array_equal(codes, codec.encode(wav))
    assert codec.encode_batch([]) == []


@pytest.mark.parametrize("frames", [(75, 30, 53), (4, 75, 2)])  # the shortest are mirrored
def test_a_batch_has_the_sound_of_its_utterances(codec, frames):
    rng = np.random.default_rng(0)
    batch = [rng.integers(0, 1024, (count, 8)) for count in frames]
    batch += [batch[0][:, :3], batch[0][:0]]
    together = codec.decode_batch(batch)
    assert [len(wav) for wav in together] == [len(codes) * HOP for codes in batch]
    for codes, wav in zip(batch, together):
        np.testing.assert_allclose(wav, codec.decode(codes), atol=1e-5)
    assert codec.decode_batch([]) == []


def test_a_gpu_that_is_not_there_is_told(codec):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(InputError, match="cuda:1: torch finds no GPU here"):
        codec.to("cuda:1")
    assert codec.to("cpu") is codec


def test_the_command_writes_a_codec_yaml_that_opens(weights_file, tmp_path):
    config = tmp_path / "encodec.yaml"
    config.write_text("bandwidth: 3.0\n")
    codec_fit.main(
        ["--codec", "encodec", "--config", str(config), "--codec_model", str(weights_file)]
        + ["--output_dir", str(tmp_path / "out")]
    )
    opened = load_codec(tmp_path / "out" / "codec.yaml")
    assert opened.num_codebooks == 4
    assert opened.encode(noise(640)).shape == (2, 4)


def test_offline_without_weights_says_how_to_get_them(tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(InputError, match=r"no route to host.*dl\.fbaipublicfiles.*--codec_model PATH"):
        codec_fit.main(["--codec", "encodec", "--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_weights_in_torchs_cache_are_used(tmp_path, monkeypatch, weights_file):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    cached = tmp_path / "checkpoints" / encodec.CHECKPOINT
    cached.parent.mkdir()
    cached.write_bytes(weights_file.read_bytes())
    assert encodec.published_weights() == cached


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.th.*--codec_model PATH"):
        EncodecCodec(tmp_path / "nowhere.th")


@pytest.mark.parametrize("content", [b"no weights", None])
def test_a_file_that_is_not_encodec_is_named(tmp_path, content):
    path = tmp_path / "other.th"
    if content is None:
        torch.save({"layer.weight": torch.zeros(2)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.th"):
        EncodecCodec(path)


def test_a_bandwidth_the_model_does_not_have(weights_file):
    with pytest.raises(InputError, match=r"bandwidth 5\.0"):
        EncodecCodec(weights_file, bandwidth=5.0)


def test_the_latent_is_what_decoding_makes_sound_of(codec):
    codes = codec.encode(noise(5000))
    latent = codec.latent(codes)
    assert latent.shape == (len(codes), 128)
    np.testing.assert_allclose(codec.decode_latent(latent), codec.decode(codes), atol=1e-5)
    np.testing.assert_array_equal(codec.latent_codewords().sum(codes), latent)
    assert codec.with_pitch(latent, np.zeros(len(latent))) is latent  # F0 is no dimension of it
    assert codec.decode_latent(latent[:0]).shape == (0,)
