import shutil

import numpy as np
import pytest
import torch
import yaml
from codebooks import spread_codebooks

from espnet2_valle.bin import codec_fit
from espnet2_valle.codec.build import load_codec
from espnet2_valle.codec.espnet_codec import ESPnetCodec
from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.checks import check_codec
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import Settings

HOP = 32
CODEC_CONF = {
    "sampling_rate": 8000,
    "generator_params": {
        "hidden_dim": 8,
        "encdec_n_filters": 2,
        "encdec_ratios": [4, 4, 2],
        "encdec_lstm": 1,
        "quantizer_n_q": 4,
        "quantizer_bins": 16,
        "quantizer_kmeans_init": False,
        "quantizer_target_bandwidth": [4],
    },
    "discriminator_params": {
        "scales": 1,
        "scale_discriminator_params": {
            "in_channels": 1,
            "out_channels": 1,
            "kernel_sizes": [15, 41, 5, 3],
            "channels": 8,
            "max_downsample_channels": 8,
            "max_groups": 2,
            "bias": True,
            "downsample_scales": [2, 2],
            "nonlinear_activation": "LeakyReLU",
            "nonlinear_activation_params": {"negative_slope": 0.1},
        },
    },
}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A tiny SoundStream of random weights, saved as ESPnet's trainer does."""
    from espnet2.tasks.gan_codec import GANCodecTask

    folder = tmp_path_factory.mktemp("espnet_codec")
    config = {"codec": "soundstream", "codec_conf": CODEC_CONF, "model_conf": {}, "use_preprocessor": False}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    torch.manual_seed(0)
    model, trained = GANCodecTask.build_model_from_file(folder / "config.yaml")
    # Dumped once the model is built, as the trainer does: then its options hold a sample_rate of their own.
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(trained)))
    generator = model.codec.generator
    project = generator.quantizer.vq.layers[0].project_in
    spread_codebooks(model, lambda sound: project(generator.encoder(sound)[0].T))
    torch.save(model.state_dict(), folder / "10epoch.pth")
    return folder / "10epoch.pth"


@pytest.fixture(scope="module")
def codec(model_file):
    return ESPnetCodec(model_file)


def noise(samples):
    return (0.1 * np.random.default_rng(1).standard_normal(samples)).astype(np.float32)


def test_the_spec_is_the_trained_codecs(codec):
    assert (codec.sample_rate, codec.frame_rate) == (8000, 8000 / HOP)
    assert (codec.num_codebooks, codec.codebook_size) == (4, 16)


@pytest.mark.parametrize("samples", [1, HOP, HOP + 1, 1000])
def test_shapes(codec, samples):
    codes = codec.encode(noise(samples))
    assert codes.shape == (codec.num_frames(samples), 4)
    assert codes.dtype == np.int16
    assert codec.decode(codes).shape == (len(codes) * HOP,)
    assert codec.decode(codes[:, :2]).shape == (len(codes) * HOP,)


def test_encoding_is_deterministic_and_uses_its_codebooks(codec):
    codes = codec.encode(noise(8000))
    np.testing.assert_array_equal(codes, codec.encode(noise(8000)))
    assert len(np.unique(codes)) > 4


def test_it_goes_to_a_device_with_all_that_it_computes(codec, monkeypatch):
    wav = np.random.default_rng(0).standard_normal(640).astype(np.float32) / 10
    codes = codec.encode(wav)
    moved = []
    with monkeypatch.context() as fake:
        fake.setattr(torch.cuda, "is_available", lambda: True)
        fake.setattr(codec.coding.model, "to", moved.append)
        assert codec.nearest("cuda:1") == "cuda:1"
        assert codec.to("cuda:1").coding.device == "cuda:1"
    assert moved == ["cuda:1"]
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="cuda: torch finds no GPU here"):
            codec.to("cuda")
    np.testing.assert_array_equal(codec.to("cpu").encode(wav), codes)


def test_the_codec_yaml_of_the_command_and_the_model_are_all_it_needs(codec, model_file, tmp_path):
    codec_fit.main(
        ["--codec", "espnet", "--codec_model", str(model_file), "--output_dir", str(tmp_path / "codec")]
    )
    config = tmp_path / "codec" / "codec.yaml"
    shutil.copy(model_file, config.parent / "model.pth")
    config.write_text(config.read_text().replace(str(model_file), "model.pth"))
    again = load_codec(config)
    np.testing.assert_array_equal(again.encode(noise(2000)), codec.encode(noise(2000)))


def test_the_recipe_reads_the_rate_of_a_codec_whose_training_names_rates_too(model_file, tmp_path):
    words = [
        "--codec",
        "espnet",
        "--codec_model",
        str(model_file),
        "--output_dir",
        str(tmp_path / "exp/a/codec"),
    ]
    codec_fit.main(words)
    assert (tmp_path / "exp" / "a" / "codec" / "codec.yaml").read_text().count("sample_rate:") > 1
    check_codec(Settings(Options(expdir=str(tmp_path / "exp"), tag="a", fs=8000)))


def test_a_config_of_something_else_is_named(model_file, tmp_path):
    shutil.copy(model_file, tmp_path / "a.pth")
    (tmp_path / "config.yaml").write_text("model: transducer\n")
    with pytest.raises(InputError, match=r"config\.yaml: not the configuration of a codec"):
        ESPnetCodec(tmp_path / "a.pth")


def test_a_model_without_its_config_is_named(model_file, tmp_path):
    alone = tmp_path / "alone.pth"
    alone.write_bytes(model_file.read_bytes())
    with pytest.raises(InputError, match=r"config\.yaml"):
        ESPnetCodec(alone)


def test_weights_that_are_missing_are_not_replaced_by_random_ones(model_file, tmp_path):
    weights = torch.load(model_file)
    lost = sorted(name for name in weights if "encoder" in name)[0]
    del weights[lost]
    torch.save(weights, tmp_path / "short.pth")
    (tmp_path / "config.yaml").write_bytes((model_file.parent / "config.yaml").read_bytes())
    with pytest.raises(InputError, match=lost):
        ESPnetCodec(tmp_path / "short.pth")


def test_a_file_that_is_no_model_is_named(model_file, tmp_path):
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    (tmp_path / "config.yaml").write_bytes((model_file.parent / "config.yaml").read_bytes())
    with pytest.raises(InputError, match=r"bad\.pth"):
        ESPnetCodec(tmp_path / "bad.pth")


def test_the_latent_is_what_decoding_makes_sound_of(codec):
    codes = codec.encode(noise(1000))
    latent = codec.latent(codes)
    assert latent.shape == (len(codes), 8)
    np.testing.assert_allclose(codec.decode_latent(latent), codec.decode(codes), atol=1e-5)
    np.testing.assert_array_equal(codec.latent_codewords().sum(codes), latent)
    assert codec.decode_latent(latent[:0]).shape == (0,)
