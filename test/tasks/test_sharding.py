"""Sharded training on two CPU processes: the same model, whole checkpoints, resuming from either kind."""

import pytest
import torch
from torch.distributed.tensor import DTensor
from training_samples import curve, options, same, train_on_two_ranks, weights

from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train import sharding

COMMON = [
    "--num_iters_per_epoch=4",
    "--max_epoch=2",
    "--batch_bins=100000",
    "--accum_grad=2",
    "--resume=true",
]
EXACT = [*COMMON, "--model_conf=bf16=false", "--valle_conf=layers=2", "--ema_decay=0.9"]


def command(archive, valle, name, *more):
    return options(archive, valle, *EXACT, f"--output_dir={archive}/{name}", *more)


def test_shards_are_a_whole_model_on_the_same_batches(archive):
    extra = ["--model_conf=activation_checkpointing=true"]
    train_on_two_ranks(archive, command(archive, "nar", "whole", *extra))
    train_on_two_ranks(archive, command(archive, "nar", "shards", *extra, "--fsdp=true"))
    assert curve(archive / "shards") == pytest.approx(curve(archive / "whole"), rel=1e-4)
    for name in ("2epoch.pth", "valid.loss.ave.pth"):
        assert same(
            weights(archive / "shards" / name), weights(archive / "whole" / name), rtol=1e-4, atol=1e-6
        )
    model, _ = VALLETask.build_model_from_file(model_file=archive / "shards" / "valid.loss.ave.pth")
    assert not isinstance(next(model.parameters()), DTensor)


def test_a_sharded_training_goes_on_and_takes_over_from_a_whole_one(archive):
    train_on_two_ranks(archive, command(archive, "nar", "unbroken", "--fsdp=true"))
    for name, first in (("shards", "--fsdp=true"), ("mixed", "--fsdp=false")):
        train_on_two_ranks(archive, command(archive, "nar", name, "--max_epoch=1", first))
        train_on_two_ranks(archive, command(archive, "nar", name, "--fsdp=true"))
        tolerance = {"rtol": 0, "atol": 0} if name == "shards" else {"rtol": 1e-4, "atol": 1e-6}
        assert same(
            weights(archive / name / "2epoch.pth"), weights(archive / "unbroken" / "2epoch.pth"), **tolerance
        )


def test_sharded_weights_are_gathered_in_bfloat16(archive):
    half = ["--model_conf=bf16=true", "--fsdp=true"]
    train_on_two_ranks(archive, command(archive, "ar", "half", *half))
    assert all(value.dtype == torch.float32 for value in weights(archive / "half" / "2epoch.pth").values())
    train_on_two_ranks(archive, command(archive, "ar", "whole", half[0]))
    assert curve(archive / "half") == pytest.approx(curve(archive / "whole"), rel=0.05)


def test_a_lost_optimiser_state_is_named(archive, monkeypatch):
    given = options(archive, "ar", "--resume=true")
    VALLETask.main(cmd=given)
    (archive / "exp" / "step.pth").unlink()
    monkeypatch.setattr(sharding, "FSDPModule", torch.nn.Module)  # as if the model were sharded
    with pytest.raises(InputError, match=r"step.pth: is not there, and has the optimiser's states"):
        VALLETask.main(cmd=[*given, "--max_epoch=2"])


def test_what_does_not_go_together_is_named(archive):
    with pytest.raises(InputError, match="does not go with --compile"):
        VALLETask.main(cmd=options(archive, "ar", "--fsdp=true", "--compile=true"))
