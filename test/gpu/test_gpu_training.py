"""Trainings on a GPU by ESPnet's trainer, and a model in shards on one card."""

import pytest
import torch
from training_samples import curve, options, weights, write_archive

from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train import sharding
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

pytestmark = pytest.mark.gpu
STEPS = ["--num_iters_per_epoch=10", "--max_epoch=3", "--accum_grad=1"]
PLAIN = ["--valle_conf=dropout=0.0", "--valle_conf=width=64", "--valle_conf=feed_forward=128"]


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path)


def train(archive, valle, name, *more):
    extra = ["--valle_conf=history_dropout=0.0"] if valle == "ar" else []
    VALLETask.main(
        cmd=options(archive, valle, *STEPS, *PLAIN, *extra, f"--output_dir={archive}/{name}", *more)
    )
    return archive / name


@pytest.mark.parametrize("packed", ["false", "true"], ids=["padded", "packed"])
@pytest.mark.parametrize("valle", ["ar", "nar"])
def test_thirty_steps_in_bfloat16_are_the_cpus(archive, device, valle, packed):
    """The NAR model draws stages and prompts on the CPU, so that both train on the same."""
    expected = train(archive, valle, "cpu", "--ngpu=0", "--model_conf=bf16=false")
    more = [f"--ngpu={int(device.type == 'cuda')}", "--model_conf=bf16=true", f"--model_conf=packed={packed}"]
    got = train(archive, valle, "gpu", *more)
    assert curve(got)[::2] == pytest.approx(curve(expected)[::2], rel=0.03)
    first, last = curve(got)[2], curve(got)[-2]
    assert last < first
    for name, value in weights(got / "3epoch.pth").items():
        assert value.isfinite().all(), name


def test_a_broken_training_goes_on(archive, device):
    ngpu = f"--ngpu={int(device.type == 'cuda')}"
    whole = train(archive, "ar", "whole", ngpu)
    train(archive, "ar", "broken", ngpu, "--max_epoch=1", "--resume=true")
    again = train(archive, "ar", "broken", ngpu, "--resume=true")
    assert curve(again) == pytest.approx(curve(whole), rel=0.01)


@pytest.mark.parametrize("kind", ["ar", "nar"])
def test_shards_on_one_card_are_the_whole_model(build, batch, device, kind, tmp_path):
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, init_method=f"file://{tmp_path}/init", rank=0, world_size=1)
    try:
        there = {name: one.numpy() if "lengths" in name else one.to(device) for name, one in batch.items()}
        losses = []
        for sharded in (False, True):
            model = ESPnetVALLEModel(build(kind)).train()
            sharding.shard(model, device.type) if sharded else model.to(device)
            optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
            losses.append([])
            for step in range(3):
                torch.manual_seed(step)
                loss = model(**there)[0]
                loss.sum().backward()
                optimizer.step()
                optimizer.zero_grad()
                losses[-1].append(loss.item())
        assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    finally:
        torch.distributed.destroy_process_group()
