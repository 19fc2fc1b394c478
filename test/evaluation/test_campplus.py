"""CAM++ with the real architecture and random weights; with the published ones where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from espnet2_valle.common.audio import read_audio, resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.campplus import MEL_BINS, CAMPPlus, load_campplus, segment_means
from espnet2_valle.evaluation.speaker import CAMPPlusEncoder, log_mel, similarity

RATE = 16000
SHARED = Path(os.environ.get("ESPNET2_VALLE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
WEIGHTS = os.environ.get("ESPNET2_VALLE_CAMPPLUS", "")
# Of 3D-Speaker's checkpoint with 192 dimensions: of each kind of layer one name and its shape.
GOLDEN = {
    "head.conv1.weight": (32, 1, 3, 3),
    "head.layer1.0.shortcut.0.weight": (32, 32, 1, 1),
    "head.layer2.1.bn2.running_var": (32,),
    "head.conv2.weight": (32, 32, 3, 3),
    "xvector.tdnn.linear.weight": (128, 320, 5),
    "xvector.tdnn.nonlinear.batchnorm.weight": (128,),
    "xvector.block1.tdnnd12.linear1.weight": (128, 480, 1),
    "xvector.block2.tdnnd24.nonlinear1.batchnorm.bias": (992,),
    "xvector.block3.tdnnd1.cam_layer.linear_local.weight": (32, 128, 3),
    "xvector.block3.tdnnd16.cam_layer.linear1.bias": (64,),
    "xvector.block3.tdnnd16.cam_layer.linear2.weight": (32, 64, 1),
    "xvector.transit1.linear.weight": (256, 512, 1),
    "xvector.transit3.nonlinear.batchnorm.running_mean": (1024,),
    "xvector.out_nonlinear.batchnorm.weight": (512,),
    "xvector.dense.linear.weight": (192, 1024, 1),
    "xvector.dense.nonlinear.batchnorm.running_mean": (192,),
}
GOLDEN_PARAMETERS = 6_848_544


@pytest.fixture(scope="module")
def model():
    """The real architecture, its batch normalisations out of their initial state."""
    torch.manual_seed(0)
    network = CAMPPlus()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.1, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    return network.eval()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("campplus") / "campplus.pt"
    torch.save(model.state_dict(), path)
    return path


def buzz(pitch, seconds=2.0, seed=0):
    time = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 15))
    return (0.1 * wave + np.random.default_rng(seed).normal(0, 0.003, time.size)).astype(np.float32)


def test_the_published_checkpoint_fits(model):
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert {name: shapes.get(name) for name in GOLDEN} == GOLDEN
    assert sum(value.numel() for value in model.parameters()) == GOLDEN_PARAMETERS
    assert "xvector.dense.nonlinear.batchnorm.weight" not in shapes


def test_a_batch_is_its_members(model):
    features = torch.randn(3, 250, MEL_BINS, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = model(features)
        single = torch.cat([model(one[None]) for one in features])
    assert together.shape == (3, 192)
    assert torch.allclose(together, single, atol=1e-4)


def test_the_mask_knows_recording_and_segment(model):
    layer = model.xvector.block1["tdnnd1"].cam_layer
    frames = torch.randn(1, 128, 230, generator=torch.Generator().manual_seed(2))
    context = frames.mean(-1, keepdim=True) + segment_means(frames)
    mask = torch.sigmoid(layer.linear2(torch.relu(layer.linear1(context))))
    assert torch.allclose(layer(frames), layer.linear_local(frames) * mask, atol=1e-6)
    assert torch.allclose(mask[..., 100:199], mask[..., 100:101].expand(-1, -1, 99))


def test_the_last_segment_may_be_short():
    means = segment_means(torch.arange(230.0)[None, None])
    assert means.shape == (1, 1, 230)
    assert means[0, 0, [0, 99, 100, 200, 229]].tolist() == [49.5, 49.5, 149.5, 214.5, 214.5]


def test_features_are_kaldis_with_a_mean_of_zero():
    wav = torch.from_numpy(buzz(120, 1.0))
    features = log_mel(wav)
    assert features.shape == (98, MEL_BINS)
    assert features.mean(0).abs().max() < 1e-4
    assert torch.allclose(log_mel(0.25 * wav), features, atol=1e-3)  # the level is taken out


def test_features_are_those_of_kaldi_native_fbank():
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq, options.mel_opts.num_bins = 0, RATE, MEL_BINS
    fbank = knf.OnlineFbank(options)
    wav = buzz(150, 1.0)
    fbank.accept_waveform(RATE, wav.tolist())
    fbank.input_finished()
    expected = np.stack([fbank.get_frame(number) for number in range(fbank.num_frames_ready)])
    assert log_mel(torch.from_numpy(wav)).numpy() == pytest.approx(expected - expected.mean(0), abs=1e-2)


@pytest.mark.parametrize("seconds", [3.0, 0.3, 0.01])
def test_vectors_have_length_one(weights, seconds):
    vector = CAMPPlusEncoder(str(weights)).embed(buzz(120, seconds), RATE)
    assert vector.shape == (192,)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_the_rate_is_heeded(weights):
    encoder, wav = CAMPPlusEncoder(str(weights)), buzz(150)
    assert similarity(encoder.embed(resample(wav, RATE, 24000), 24000), encoder.embed(wav, RATE)) > 0.95


def test_the_dimensions_are_read_off_the_weights(tmp_path):
    torch.save(CAMPPlus(512).state_dict(), tmp_path / "voxceleb.bin")
    assert CAMPPlusEncoder(str(tmp_path / "voxceleb.bin")).embed(buzz(120), RATE).shape == (512,)


class Evil:
    """What would run code when a pickle is read."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [{"a": 1}, [1], Evil()])
def test_other_files_are_refused(tmp_path, content, capsys):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match=r"other.pt: not the weights of CAM\+\+ .*Give campplus_cn_en"):
        load_campplus(path)
    assert "run" not in capsys.readouterr().out


def test_no_file_is_told_where_to_find_it(tmp_path):
    with pytest.raises(InputError, match="no such file of CAM.*Give campplus_cn_en_common.pt of ModelScope"):
        CAMPPlusEncoder(str(tmp_path / "none.pt"))
    with pytest.raises(InputError, match="has no model. Give campplus_cn_en_common.pt"):
        CAMPPlusEncoder()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_says_the_same(weights):
    one, other = (CAMPPlusEncoder(str(weights), device).embed(buzz(120), RATE) for device in ("cpu", "cuda"))
    assert similarity(one, other) > 0.999


@pytest.mark.skipif(not WEIGHTS, reason="ESPNET2_VALLE_CAMPPLUS names no file of published weights")
def test_the_published_weights_tell_real_speakers_apart():
    sounds = sorted((SHARED / "corpora" / "an4_en" / "test").rglob("*.ogg"))
    if not sounds:
        pytest.skip("no real speech here: set ESPNET2_VALLE_SHARED")
    encoder, voices = CAMPPlusEncoder(WEIGHTS), {}
    for path in sounds:
        speaker = path.stem.split("-")[1]
        voices.setdefault(speaker, [])
        if len(voices[speaker]) < 2:
            voices[speaker].append(encoder.embed(*read_audio(path)))
    same = [similarity(*pair) for pair in voices.values()]
    other = [
        similarity(one[0], two[1]) for one in voices.values() for two in voices.values() if one is not two
    ]
    assert np.mean(same) > np.mean(other) + 0.25
