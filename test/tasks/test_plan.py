"""The plan of a training, against numbers worked out by hand."""

import pytest
import yaml

from espnet2_valle.bin import plan
from espnet2_valle.common.conf import CONF, read_config
from espnet2_valle.common.errors import InputError


def rows(printed):
    return [
        [float(cell) for cell in line.strip("| ").split(" | ")]
        for line in printed.splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]


def test_twelve_billion_parameters_are_planned_without_building_them(capsys):
    plan.main([f"--config={CONF}/train_ar_12b.yaml", "--num_gpus", "64", "128"])
    printed = capsys.readouterr().out
    assert "12.59 billion parameters, 40 blocks" in printed
    assert "divided by the GPUs (--fsdp)" in printed
    few, many = rows(printed)
    assert few[2] == pytest.approx(12.59e9 * 16 / 64 / 2**30, rel=0.02)
    assert many[2] == pytest.approx(few[2] / 2, rel=0.1)
    assert many[-2] == pytest.approx(2 * few[-2], rel=0.01)
    # Six operations a weight and position, and some for attention, at 40 % of 989 TFLOP/s.
    assert few[-2] == pytest.approx(64 * 0.4 * 989e12 / (6 * 12.59e9), rel=0.1)
    assert few[-1] == pytest.approx(60000 * 3600 * (75 + 12) / few[-2] / 86400, rel=0.02)


def test_checkpointing_and_passes_count(tmp_path, capsys):
    config = read_config(CONF / "train_ar_base.yaml")
    config["model_conf"]["activation_checkpointing"] = True
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(config))
    plan.main([f"--config={CONF}/train_ar_base.yaml", "--num_gpus", "1"])
    plan.main([f"--config={tmp_path}/train.yaml", "--num_gpus", "1", "--passes", "2"])
    plain, small = rows(capsys.readouterr().out)
    assert small[4] < plain[4] / 4
    assert small[-1] == pytest.approx(2 * plain[-1], rel=0.02)


def test_without_fsdp_each_gpu_holds_all_states(capsys):
    plan.main([f"--config={CONF}/train_ar_paper.yaml", "--num_gpus", "8", "16", "--fsdp=true"])
    sharded = rows(capsys.readouterr().out)
    plan.main([f"--config={CONF}/train_ar_paper.yaml", "--num_gpus", "8", "16"])
    printed = capsys.readouterr().out
    assert "whole on each GPU (no --fsdp)" in printed
    assert [row[2] for row in sharded] == pytest.approx([152.3e6 * 16 / n / 2**30 for n in (8, 16)], abs=0.1)
    few, many = rows(printed)
    assert few[2] == many[2] == pytest.approx(152.3e6 * 20 / 2**30, abs=0.1)
    # 42 d bytes a position in each of twelve blocks, for 16 GPUs of the paper.
    assert many[4] == pytest.approx(112000 / 16 * 12 * 42 * 1024 / 2**30, rel=0.03)


def test_the_batch_may_be_what_a_card_holds(tmp_path, capsys):
    config = read_config(CONF / "train_ar_base.yaml")
    (tmp_path / "train.yaml").write_text(yaml.safe_dump({**config, "batch_bins": "auto"}))
    plan.main([f"--config={CONF}/train_ar_base.yaml", "--num_gpus", "1"])
    plan.main([f"--config={tmp_path}/train.yaml", "--num_gpus", "1", "--memory", "80"])
    plan.main([f"--config={tmp_path}/train.yaml", "--num_gpus", "1", "--memory", "40"])
    given, large, small = rows(capsys.readouterr().out)
    assert given[1] < 10  # nine tenths of the card are empty
    assert given[6] == large[6] > 10 * 24000 / 2
    assert large[1] == pytest.approx(72, rel=0.01)
    assert small[1] == pytest.approx(36, rel=0.01)
    with pytest.raises(InputError, match="no room for it"):
        plan.main([f"--config={tmp_path}/train.yaml", "--num_gpus", "1", "--memory", "0.1"])


def test_a_config_that_is_not_there_is_named():
    with pytest.raises(InputError, match="gone.yaml: cannot be read"):
        plan.main(["--config=gone.yaml"])
