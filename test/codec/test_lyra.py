import pickle
import shutil
import sys

import numpy as np
import pytest
import stub_litert
import torch
import yaml

from espnet2_valle.bin import codec_fit
from espnet2_valle.codec import lyra_weights
from espnet2_valle.codec.build import load_codec
from espnet2_valle.codec.lyra import LyraCodec
from espnet2_valle.codec.lyra_weights import LyraWeights
from espnet2_valle.common.errors import InputError

HOP = 320


@pytest.fixture(autouse=True)
def _stub_runtime(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", stub_litert.module)


@pytest.fixture
def folder(tmp_path):
    return stub_litert.write(tmp_path / "published")


@pytest.fixture
def weights(folder):
    return LyraWeights.from_folder(folder)


def noise(samples, seed=1):
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def fit(output, *words):
    codec_fit.main(["--codec", "lyra", "--output_dir", str(output), *map(str, words)])
    return output / "codec.yaml"


def test_sizes(weights):
    codec = LyraCodec(weights)
    assert (codec.sample_rate, codec.frame_rate) == (16000, 50)
    assert (codec.num_codebooks, codec.codebook_size) == (8, 256)
    assert LyraCodec(weights, 5, 3).codebook_size == 4096


@pytest.mark.parametrize("samples", [1, HOP, HOP + 1, 7777])
def test_shapes(weights, samples):
    codec = LyraCodec(weights)
    codes = codec.encode(noise(samples))
    assert codes.shape == (codec.num_frames(samples), 8)
    assert codes.dtype == np.int16
    assert codec.decode(codes).shape == (len(codes) * HOP,)
    assert codec.decode(codes[:, :3]).dtype == np.float32
    assert codec.decode(codes[:0]).shape == (0,)


def test_an_utterance_knows_nothing_of_the_one_before(weights):
    codec = LyraCodec(weights)
    first, second = noise(4000), noise(5000, 2)
    codes = codec.encode(second)
    wav = codec.decode(codes)
    again = codec.encode_batch([first, second])[1]
    np.testing.assert_array_equal(again, codes)
    codec.decode(codec.encode(first))
    np.testing.assert_array_equal(codec.decode(codes), wav)
    assert len(np.unique(codes)) > 8


def test_fewer_codebooks_are_the_first_ones(weights):
    codes = LyraCodec(weights, 23).encode(noise(9000))
    np.testing.assert_array_equal(LyraCodec(weights, 3).encode(noise(9000)), codes[:, :3])
    stages = LyraCodec(weights, 46, 1).encode(noise(9000))
    np.testing.assert_array_equal(codes, 16 * stages[:, ::2] + stages[:, 1::2])


@pytest.mark.parametrize("joined", [1, 2, 3])
def test_codewords_are_what_is_added_up_before_decoding(weights, joined):
    codec = LyraCodec(weights, 4, joined)
    codes = codec.encode(noise(4000))
    stages = codec.split(codes)
    np.testing.assert_array_equal(codec.join(stages), codes)
    books = codec.codewords()
    assert [book.shape for book in books] == 4 * [(16**joined, stub_litert.DIM)]
    added = sum(book[codes[:, level]] for level, book in enumerate(books))
    frames = [np.pad(row, (0, 46 - len(row)), constant_values=-1)[:, None, None] for row in stages]
    published = [stub_litert.decode(frame)["output_0"][0, 0] for frame in frames]
    np.testing.assert_allclose(added, published, atol=1e-5)


def test_a_copy_in_another_process_is_the_same_codec(weights):
    codec = LyraCodec(weights, 3, 1)
    again = pickle.loads(pickle.dumps(codec))
    assert again.spec == codec.spec
    np.testing.assert_array_equal(again.encode(noise(4000)), codec.encode(noise(4000)))


def test_the_command_writes_a_codec_that_needs_the_folder_no_more(folder, weights, tmp_path):
    (tmp_path / "lyra.yaml").write_text("num_codebooks: 4\n")
    fit(tmp_path / "out", "--codec_model", folder, "--config", tmp_path / "lyra.yaml")
    shutil.rmtree(folder)
    (tmp_path / "out").rename(tmp_path / "moved")
    config = tmp_path / "moved" / "codec.yaml"
    assert yaml.safe_load(config.read_text())["model"] == "lyra.npz"
    opened = load_codec(config)
    assert opened.num_codebooks == 4
    np.testing.assert_array_equal(opened.encode(noise(640)), LyraCodec(weights, 4).encode(noise(640)))


def test_the_same_weights_make_the_same_file(weights, tmp_path):
    weights.save(tmp_path / "a.npz")
    LyraWeights.load(tmp_path / "a.npz").save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.fixture
def published(folder, monkeypatch, tmp_path):
    """Stub files as if they were the published ones, at a file:// address, and an empty cache."""
    sums = {
        name: lyra_weights.hashlib.sha256(content).hexdigest() for name, content in stub_litert.NAMES.items()
    }
    monkeypatch.setattr(lyra_weights, "SHA256", sums)
    monkeypatch.setattr(lyra_weights, "URL", folder.as_uri())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return folder


def test_without_a_folder_the_weights_are_fetched_once(published, tmp_path):
    first = load_codec(fit(tmp_path / "a"))
    shutil.rmtree(published)
    second = load_codec(fit(tmp_path / "b"))
    np.testing.assert_array_equal(first.encode(noise(640)), second.encode(noise(640)))


def test_a_fetched_file_that_is_not_the_published_one_is_refused(published, tmp_path):
    (published / "lyragan.tflite").write_bytes(b"another")
    with pytest.raises(InputError, match=r"lyra: its weights could not be downloaded .*--codec_model DIR"):
        fit(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    (published / "lyragan.tflite").write_bytes(b"decode")
    fit(tmp_path / "a")


def test_offline_says_how_to_get_them(published, tmp_path, monkeypatch):
    monkeypatch.setattr(lyra_weights, "URL", (tmp_path / "nowhere").as_uri())
    with pytest.raises(InputError, match=r"could not be downloaded.*--codec_model DIR.*lyragan\.tflite"):
        fit(tmp_path / "a")


def test_files_of_another_version_are_told(folder, tmp_path, caplog):
    fit(tmp_path / "a", "--codec_model", folder)
    assert "lyragan.tflite: not the file of Lyra 1.3.2" in caplog.text


def test_files_as_published_are_not(published, tmp_path, caplog):
    fit(tmp_path / "a", "--codec_model", published)
    assert "not the file" not in caplog.text


@pytest.mark.parametrize("name", stub_litert.NAMES)
def test_a_file_that_is_missing_or_something_else_is_named(folder, tmp_path, name):
    (folder / name).write_bytes(b"no network")
    with pytest.raises(InputError, match=rf"{name}: not a network of TensorFlow Lite.*--codec_model DIR"):
        fit(tmp_path / "a", "--codec_model", folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"published: has no {name}"):
        fit(tmp_path / "a", "--codec_model", folder)
    assert not (tmp_path / "a").exists()


def test_networks_that_change_places_are_told(folder):
    (folder / "lyragan.tflite").write_bytes(b"encode")
    with pytest.raises(InputError, match="do not fit together"):
        LyraCodec(LyraWeights.from_folder(folder))
    (folder / "quantizer.tflite").write_bytes(b"encode")
    with pytest.raises(InputError, match=r"quantizer\.tflite: not the quantiser of Lyra v2"):
        LyraWeights.from_folder(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("num_codebooks: 24", r"num_codebooks 24 is not in 1\.\.23"),
        ("num_codebooks: eight", "num_codebooks 'eight' is not in"),
        ("num_codebooks: 8.0", r"num_codebooks 8\.0 is not in"),
        ("stages_per_codebook: 4", r"stages_per_codebook 4 is not in 1\.\.3"),
        ("bandwidth: 6", "there is no option 'bandwidth'"),
    ],
)
def test_options_out_of_range(folder, tmp_path, options, message):
    (tmp_path / "lyra.yaml").write_text(options)
    with pytest.raises(InputError, match=f"codec lyra: {message}"):
        fit(tmp_path / "a", "--codec_model", folder, "--config", tmp_path / "lyra.yaml")
    assert not (tmp_path / "a").exists()


def test_a_runtime_that_is_not_installed_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"needs the package ai_edge_litert.*espnet2_valle\[lyra\]"):
        LyraWeights.from_folder(folder)


@pytest.mark.parametrize("content", [None, b"no archive", b""])
def test_a_lost_or_broken_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "lyra.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"lyra\.npz: .* weights of Lyra.*Run stage 4 again"):
        LyraCodec.load(tmp_path / "lyra.npz")


def test_the_latent_is_what_decoding_makes_sound_of(weights):
    codec = LyraCodec(weights)
    codes = codec.encode(noise(3200))
    latent = codec.latent(codes)
    np.testing.assert_array_equal(codec.decode_latent(latent), codec.decode(codes))
    np.testing.assert_allclose(codec.latent_codewords().sum(codes), latent, atol=1e-5)
