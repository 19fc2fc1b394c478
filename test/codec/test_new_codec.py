"""A new codec is one class and one line in the registry: the commands and `open_codec` take it as it is."""

import numpy as np
import pytest
import yaml
from codec_samples import vowel
from toy_codec import ToyCodec

from espnet2_valle.bin import codec_fit, codec_resynthesize, codec_tokenize
from espnet2_valle.codec import build
from espnet2_valle.codec.build import load_codec, open_codec
from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Registry
from espnet2_valle.data.codes import read_codes
from espnet2_valle.data.datadir import read_scp


@pytest.fixture
def codecs(monkeypatch):
    """The codecs that there are, and the toy."""
    registry = Registry("codec", {name: build.CODECS[name] for name in build.CODECS})
    registry.register("toy", "toy_codec:ToyCodec")
    monkeypatch.setattr(build, "CODECS", registry)
    monkeypatch.setattr(codec_fit, "CODECS", registry)
    open_codec.cache_clear()
    yield registry
    open_codec.cache_clear()


@pytest.fixture
def fitted(codecs, tmp_path):
    """A folder with wav.scp and a codec that the command has fitted on it."""
    lines = []
    for number in range(3):
        path = tmp_path / f"utt{number}.wav"
        write_audio(path, (1 + number) / 4 * vowel(0.3, 120, rate=8000), 8000)
        lines.append(f"utt{number} {path}\n")
    (tmp_path / "wav.scp").write_text("".join(lines))
    (tmp_path / "toy.yaml").write_text("steps: 8\n")
    codec_fit.main(
        ["--codec", "toy", "--config", str(tmp_path / "toy.yaml"), "--wav_scp", str(tmp_path / "wav.scp")]
        + ["--output_dir", str(tmp_path / "codec")]
    )
    return tmp_path


def test_it_is_fitted_and_opened(fitted):
    assert yaml.safe_load((fitted / "codec" / "codec.yaml").read_text()) == {
        "type": "toy",
        "model": "toy.json",
        "options": {"steps": 8},
        "sample_rate": 8000,
        "frame_rate": 100.0,
        "num_codebooks": 1,
        "codebook_size": 8,
        "utterance_codebooks": 0,
    }
    codec = open_codec(str(fitted / "codec" / "codec.yaml"))
    assert isinstance(codec, ToyCodec)
    assert codec.loudest == pytest.approx(np.abs(read_audio(fitted / "utt2.wav")[0]).max())


def test_it_makes_codes_and_sound(fitted):
    config = ["--codec_config", str(fitted / "codec" / "codec.yaml"), "--wav_scp", str(fitted / "wav.scp")]
    codec_tokenize.main([*config, "--output_dir", str(fitted / "codes")])
    codec = load_codec(fitted / "codec" / "codec.yaml")
    codes = read_codes(fitted / "codes" / "codes.scp")
    assert list(codes) == ["utt0", "utt1", "utt2"]
    np.testing.assert_array_equal(codes["utt1"], codec.encode(read_audio(fitted / "utt1.wav")[0]))
    assert codes["utt0"].max() < codes["utt1"].max() < codes["utt2"].max() == 7
    codec_resynthesize.main([*config, "--output_dir", str(fitted / "out")])
    wav, rate = read_audio(read_scp(fitted / "out" / "wav.scp")["utt1"])
    assert rate == 8000
    np.testing.assert_allclose(wav, codec.decode(codes["utt1"]), atol=1e-4)


def test_its_options_are_checked(fitted):
    with pytest.raises(InputError, match="codec toy: there is no option 'step'. Choose among steps"):
        build.build_codec("toy", fitted / "codec" / "toy.json", {"step": 8})


def test_a_codec_need_not_tell_a_latent(codecs):
    with pytest.raises(InputError, match="tells no continuous latent"):
        ToyCodec(1.0).latent(np.zeros((2, 1), np.int16))
    assert ToyCodec(1.0).latent_codewords() is None
