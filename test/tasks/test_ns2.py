"""The diffusion model is trained by ESPnet's trainer, resumed anywhere, and opened again."""

import numpy as np
import pytest
import torch
from ns2_training_samples import ns2_options, read_config, write_timed_archive
from training_samples import same, weights

from espnet2_valle.asr.timing import Aligner
from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.ns2 import NS2Task
from espnet2_valle.zoo.ns2_checkpoint import load_ns2

STATS = {"loss", "data", "score", "duration", "pitch", "ce"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_timed_archive(tmp_path_factory.mktemp("timed"))


def stats(exp, epoch, split="train"):
    reporter = torch.load(exp / "checkpoint.pth", weights_only=False)["reporter"]
    return reporter["stats"][epoch][split]


@pytest.fixture(scope="module")
def trained(archive):
    NS2Task.main(cmd=ns2_options(archive))
    return archive / "exp"


def test_all_losses_are_reported(trained):
    assert stats(trained, 1).keys() >= {*STATS, "tokens_per_s", "padding", "grad_norm"}
    assert STATS <= stats(trained, 1, "valid").keys()


def test_the_trained_model_needs_neither_codec_nor_aligner(trained, archive):
    config = read_config(trained)
    assert config["latent_dim"] == len(Aligner.load(archive / "aligner.npz").statistics.mean)
    model, args = load_ns2(trained / "config.yaml", trained / "valid.loss.best.pth")
    assert not model.training
    assert args.token_list[-1] == "<sos/eos>"
    np.testing.assert_allclose(model.ns2.latent_std, Aligner.load(archive / "aligner.npz").statistics.std)
    again, _ = NS2Task.build_model_from_file(None, trained / "valid.loss.best.pth")
    assert same(again.state_dict(), model.state_dict())


def test_a_training_that_was_broken_off_ends_as_an_unbroken_one(archive):
    words = ["--num_iters_per_epoch=3", "--max_epoch=2", "--prompt_source=own"]
    NS2Task.main(cmd=ns2_options(archive, *words, f"--output_dir={archive}/whole"))
    broken = ns2_options(archive, *words, f"--output_dir={archive}/broken", "--resume=true")
    NS2Task.main(cmd=[*broken, "--max_epoch=1"])
    NS2Task.main(cmd=broken)
    both = (weights(archive / run / "2epoch.pth") for run in ("whole", "broken"))
    assert same(*both, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--use_adapter=true"], "is not for the diffusion model"),
        (["--fsdp=true"], "is not for the diffusion model"),
        (["--min_prompt_seconds=3", "--max_prompt_seconds=1"], "3 to 1 s is no range"),
        (["--aligner=nowhere.npz"], "no such aligner"),
        (["--ns2_conf=kernel=3"], "kernel"),
        (["--ns2_conf=heads=3"], "is not a multiple of heads 3"),
    ],
)
def test_what_cannot_be_trained_is_told(archive, words, message):
    with pytest.raises(InputError, match=message):
        NS2Task.main(cmd=ns2_options(archive, f"--output_dir={archive}/none", *words))


def test_an_aligner_of_other_tokens_is_told(archive, tmp_path):
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\na\nb\nc\n<sos/eos>\n")
    words = [f"--token_list={tmp_path}/tokens.txt", f"--output_dir={tmp_path}/exp"]
    with pytest.raises(InputError, match="has token_mean of shape"):
        NS2Task.main(cmd=ns2_options(archive, *words))


def test_data_without_timing_are_told(archive, tmp_path):
    words = ns2_options(archive, f"--output_dir={tmp_path}/exp")
    with pytest.raises(InputError, match="is not a training index and its timing"):
        NS2Task.main(cmd=[word for word in words if "timing,timing" not in word])


@pytest.mark.parametrize(
    "config", ["train_ns2_mini", "train_ns2_base", "train_ns2_paper", "tuning/train_ns2_mini_real"]
)
def test_each_config_builds_its_model(archive, config, tmp_path):
    words = [word for word in ns2_options(archive) if not word.startswith(("--config", "--ns2_conf"))]
    args = NS2Task.get_parser().parse_args([f"--config={CONF}/{config}.yaml", *words])
    with torch.device("meta"):
        args.latent_dim = 128
        args.codec_config = {
            "name": "encodec",
            "sample_rate": 24000,
            "frame_rate": 75.0,
            "num_codebooks": 8,
            "codebook_size": 1024,
        }
        count = sum(one.numel() for one in NS2Task.build_model(args).parameters()) / 1e6
    least, most = {"mini": (2, 6), "base": (60, 150), "paper": (150, 450)}[config.split("_")[2]]
    assert least < count < most
