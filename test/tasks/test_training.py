"""What our trainer adds to ESPnet's: resuming anywhere, ranks, accumulation, averages, a stop at NaN."""

import logging

import pytest
import torch
import yaml
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from training_samples import curve, options, same, train_on_two_ranks, weights

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import Choice
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train import compute_dtype, step_checkpoint
from espnet2_valle.train.epoch import Epoch
from espnet2_valle.valle.ar import VALLEAR

EXACT = ["--model_conf=bf16=false", "--valle_conf=history_dropout=0"]
LONG = ["--num_iters_per_epoch=5", "--max_epoch=2", "--batch_bins=60", "--save_interval=2", "--resume=true"]


def test_a_schedule_of_too_many_passes_is_shortened_and_told(archive, caplog):
    """Eight utterances are one batch of the budget: 4000 steps would be 4000 passes."""
    longer = ["--num_iters_per_epoch=400", "--max_epoch=10", "--batch_bins=100000"]
    VALLETask.main(cmd=options(archive, "ar", *longer, "--max_passes=20"))
    told = yaml.safe_load((archive / "exp" / "config.yaml").read_text())
    assert (told["max_epoch"], told["num_iters_per_epoch"]) == (10, 2)
    assert told["scheduler_conf"]["warmup_steps_list"] == [0, 1, 18]
    assert "4000 steps would be 4000 passes over the training set of 8 utterances" in caplog.text
    assert "shortened to 20 steps in 10 epochs" in caplog.text
    assert len(curve(archive / "exp")) == 10 * 4


def test_a_schedule_is_kept_where_that_is_asked_for(archive, caplog):
    shorter = ["--num_iters_per_epoch=4", "--max_epoch=2", "--batch_bins=100000"]
    for passes in ("0", "8"):
        VALLETask.main(
            cmd=options(archive, "ar", *shorter, f"--max_passes={passes}", f"--output_dir={archive}/{passes}")
        )
        assert len(curve(archive / passes)) == 2 * 4
    assert "passes over the training set" not in caplog.text


class Killed(Exception):
    """Stands for a kill right behind a checkpoint."""


def test_a_training_killed_again_and_again_has_the_curve_of_an_unbroken_one(archive, monkeypatch):
    extra = ["--ema_decay=0.9", "--accum_grad=2"]
    VALLETask.main(cmd=options(archive, "nar", *LONG, *extra, f"--output_dir={archive}/whole"))
    save, kills = step_checkpoint.save_whole, 0

    def save_and_die(state, path):
        save(state, path)
        raise Killed

    broken = options(archive, "nar", *LONG, *extra, f"--output_dir={archive}/broken")
    while not (archive / "broken" / "2epoch.pth").exists():
        with monkeypatch.context() as patched:
            patched.setattr(step_checkpoint, "save_whole", save_and_die)
            with pytest.raises(Killed):
                VALLETask.main(cmd=broken)
        kills += 1
        if (archive / "broken" / "step.pth").exists() and kills % 3 == 0:
            # The kill came behind the last step of an epoch: let ESPnet end it.
            VALLETask.main(cmd=[*broken, f"--max_epoch={kills // 3}"])
        assert kills < 12
    VALLETask.main(cmd=broken)
    assert curve(archive / "broken") == curve(archive / "whole")
    for name in ("2epoch.pth", "valid.loss.ave.pth"):
        assert same(weights(archive / "broken" / name), weights(archive / "whole" / name), rtol=0, atol=0)


def test_a_checkpoint_cut_short_is_replaced(archive):
    VALLETask.main(cmd=options(archive, "ar", *LONG, f"--output_dir={archive}/whole"))
    command = options(archive, "ar", *LONG)
    VALLETask.main(cmd=[*command, "--max_epoch=1"])
    exp = archive / "exp"
    content = (exp / "checkpoint.pth").read_bytes()
    (exp / "checkpoint.pth").write_bytes(content[: len(content) // 2])
    VALLETask.main(cmd=command)
    assert same(weights(exp / "2epoch.pth"), weights(archive / "whole" / "2epoch.pth"), rtol=0, atol=0)


def test_a_model_file_cut_short_is_replaced(archive):
    command = options(archive, "ar", *LONG)
    VALLETask.main(cmd=[*command, "--max_epoch=1"])
    expected = weights(archive / "exp" / "1epoch.pth")
    (archive / "exp" / "1epoch.pth").write_bytes(b"cut")
    VALLETask.main(cmd=command)
    assert same(weights(archive / "exp" / "1epoch.pth"), expected, rtol=0, atol=0)


def test_accumulated_batches_are_one_batch(archive):
    """Two halves of different numbers of predictions, weighted, are the whole."""
    one = ["--num_iters_per_epoch=1", "--batch_bins=100000", "--iterator_type=task"]
    VALLETask.main(cmd=options(archive, "ar", *EXACT, *one, f"--output_dir={archive}/one"))
    two = ["--num_iters_per_epoch=8", "--batch_bins=1", "--accum_grad=8"]
    VALLETask.main(cmd=options(archive, "ar", *EXACT, *two, f"--output_dir={archive}/two"))
    first, second = (weights(archive / name / "1epoch.pth") for name in ("one", "two"))
    assert same(first, second, rtol=1e-4, atol=1e-7)


def test_two_processes_are_one_with_the_same_batches(archive):
    common = [*EXACT, "--num_iters_per_epoch=4", "--batch_bins=100000", "--accum_grad=2"]
    VALLETask.main(cmd=options(archive, "ar", *common, f"--output_dir={archive}/one"))
    train_on_two_ranks(archive, options(archive, "ar", *common, f"--output_dir={archive}/two"))
    one, two = (weights(archive / name / "1epoch.pth") for name in ("one", "two"))
    assert same(one, two, rtol=1e-4, atol=1e-7)


def test_the_average_of_the_weights_is_what_is_saved(archive):
    VALLETask.main(cmd=options(archive, "ar", *EXACT, f"--output_dir={archive}/plain"))
    VALLETask.main(cmd=options(archive, "ar", *EXACT, "--ema_decay=0.9"))
    step = torch.load(archive / "exp" / "step.pth", weights_only=False)
    trained = weights(archive / "plain" / "1epoch.pth")
    assert same(step["model"], trained, rtol=0, atol=0)
    average = weights(archive / "exp" / "1epoch.pth")
    assert not same(average, trained)
    assert all(torch.equal(a, b) for a, b in zip(average.values(), step["average"]["average"]))


def test_a_loss_that_is_not_finite_names_the_batch(archive, monkeypatch):
    def forward(self, *args):
        predicted = whole(self, *args)
        return predicted._replace(logits=predicted.logits * float("nan"))

    whole = VALLEAR.forward
    monkeypatch.setattr(VALLEAR, "forward", forward)
    with pytest.raises(InputError, match=r"step 1 of epoch 1: the loss is not finite. Utterances: utt\d"):
        VALLETask.main(cmd=options(archive, "ar"))


def test_speed_and_padding_are_in_the_log(archive, caplog):
    with caplog.at_level(logging.INFO):
        VALLETask.main(cmd=options(archive, "ar", "--log_interval=1"))
    line = next(line for line in caplog.messages if "1epoch:train:1-1batch" in line)
    for metric in ("loss=", "acc10=", "tokens_per_s=", "mfu=", "padding=", "optim0_lr0=", "grad_norm="):
        assert metric in line
    stats = torch.load(archive / "exp" / "checkpoint.pth", weights_only=False)["reporter"]["stats"][1][
        "train"
    ]
    assert 0 < stats["padding"] < 1
    assert stats["mfu"] > 0


@pytest.mark.parametrize(
    "extra",
    [
        ["--compile=true", "--compile_backend=eager"],
        ["--model_conf=activation_checkpointing=true"],
        ["--optim_conf=fused=false"],
    ],
    ids=["compile", "checkpointing", "optimiser in many passes"],
)
def test_faster_or_smaller_training_gives_the_same_model(archive, extra):
    VALLETask.main(cmd=options(archive, "nar", *EXACT[:1], f"--output_dir={archive}/plain"))
    VALLETask.main(cmd=options(archive, "nar", *EXACT[:1], *extra))
    one, two = (weights(archive / name / "1epoch.pth") for name in ("plain", "exp"))
    assert one.keys() == two.keys()
    assert same(one, two, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("option", ["--use_amp=true", "--grad_noise=true"])
def test_options_that_the_trainer_lacks_are_named(archive, option):
    with pytest.raises(InputError, match="this trainer does not know it"):
        VALLETask.main(cmd=options(archive, "ar", option))


@pytest.fixture
def float16(monkeypatch):
    """A machine that multiplies float16 fast, and bfloat16 not at all, as V100 and T4 do."""
    monkeypatch.setattr(compute_dtype, "training_type", lambda device: Choice("float16", "as said in a test"))


def test_a_training_in_float16_learns_like_one_in_float32_and_keeps_its_scale(archive, float16, caplog):
    more = ["--valle_conf=history_dropout=0", *LONG]
    VALLETask.main(cmd=options(archive, "ar", *more, f"--output_dir={archive}/half"))
    assert VALLETask.trainer.scaler.is_enabled()
    exact = [*more, "--model_conf=bf16=false", f"--output_dir={archive}/exact"]
    VALLETask.main(cmd=options(archive, "ar", *exact))
    assert curve(archive / "half") == pytest.approx(curve(archive / "exact"), rel=0.02, abs=0.02)
    state = step_checkpoint.load(archive / "half" / "step.pth")
    assert state["scaler"]["scale"] == compute_dtype.SCALER_START
    config = yaml.safe_load((archive / "half" / "config.yaml").read_text())
    assert config["machine"]["products"] == "float16 (as said in a test)"
    assert config["model_conf"]["bf16"] == "auto"  # the next machine is asked again


def test_an_overflow_of_float16_is_left_out_and_the_scale_lowered(archive, float16, monkeypatch, caplog):
    monkeypatch.setattr(compute_dtype, "SCALER_START", 2.0**18)
    VALLETask.main(cmd=options(archive, "ar", *LONG))
    assert "no update from utt" in caplog.text
    state = step_checkpoint.load(archive / "exp" / "step.pth")
    assert state["scaler"]["scale"] < 2.0**18
    assert state["updates"] < state["steps"]
    weights_now = weights(archive / "exp" / "2epoch.pth")
    assert all(torch.isfinite(value).all() for value in weights_now.values() if value.is_floating_point())


def test_a_broken_training_in_float16_has_the_curve_of_an_unbroken_one(archive, float16, monkeypatch):
    monkeypatch.setattr(compute_dtype, "SCALER_START", 2.0**18)  # so that its scale changes
    VALLETask.main(cmd=options(archive, "ar", *LONG, f"--output_dir={archive}/whole"))
    command = options(archive, "ar", *LONG, f"--output_dir={archive}/broken")
    save = step_checkpoint.save_whole

    def save_and_die(state, path):
        save(state, path)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(step_checkpoint, "save_whole", save_and_die)
        with pytest.raises(Killed):
            VALLETask.main(cmd=command)
    VALLETask.main(cmd=command)
    assert curve(archive / "broken") == curve(archive / "whole")


def test_the_log_says_on_what_and_how_long(archive, caplog):
    caplog.set_level(logging.INFO)
    VALLETask.main(cmd=options(archive, "ar", "--num_iters_per_epoch=11", "--max_epoch=2", "--batch_bins=60"))
    assert "products: " in caplog.text
    assert "cores: " in caplog.text
    assert "the training will end at" in caplog.text


def test_an_unknown_type_of_number_is_named(archive):
    with pytest.raises(InputError, match="--model_conf: bf16 is 'atuo'"):
        VALLETask.main(cmd=options(archive, "ar", "--model_conf=bf16=atuo"))


class Waits(TorchDispatchMode):
    """Counts what a GPU would be waited for: numbers that it computes. Integers are the CPU's own."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default and args[0].dtype != torch.int64:
            self.seen.append("number")
        return function(*args, **(kwargs or {}))


class Reads(TorchFunctionMode):
    """Counts tensors that are read as a whole, which on a CPU needs no operation."""

    READS = (torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.numpy)

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.READS and args[0].dtype != torch.int64:
            self.waits.seen.append("tensor")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("valle", ["ar", "nar"])
def test_a_step_waits_for_a_gpu_twice(archive, valle, monkeypatch):
    """For its figures, behind the backward pass, and for the norm of its gradient."""
    steps = []

    def counted(method, begins):
        def call(*args):
            waits = Waits()
            with waits, Reads(waits):
                method(*args)
            steps.append(waits.seen) if begins else steps[-1].extend(waits.seen)

        return call

    monkeypatch.setattr(Epoch, "accumulate", counted(Epoch.accumulate, begins=True))
    monkeypatch.setattr(Epoch, "update", counted(Epoch.update, begins=False))
    VALLETask.main(cmd=options(archive, valle, "--ema_decay=0.9"))
    assert steps == [["tensor", "number"]] * 2


def test_sharded_models_have_no_aligner(archive):
    command = options(
        archive, "ar", "--fsdp=true", "--valle_conf=alignment_layer=1", "--model_conf=alignment_weight=0.3"
    )
    with pytest.raises(InputError, match="--fsdp: does not go with alignment_weight.*alignment_weight=0"):
        VALLETask.main(cmd=command)


def test_compiled_packing_is_refused(archive):
    command = options(archive, "ar", "--compile=true", "--model_conf=packed=true")
    with pytest.raises(InputError, match="--compile: does not go with packed.*packed=false"):
        VALLETask.main(cmd=command)
