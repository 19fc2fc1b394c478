"""What a fine-tuning config asks of each of the two models."""

import argparse

import pytest
import yaml

from espnet2_valle.bin import finetune_base
from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.zoo.checkpoint import MODELS
from espnet2_valle.zoo.finetune import shaped

SHIPPED = [CONF / "finetune_lora.yaml", *sorted(CONF.glob("tuning/finetune_*.yaml"))]


def base_model(kind):
    return argparse.Namespace(valle=kind, valle_conf={"layers": 2, "dropout": 0.0}, model_conf={"bf16": True})


def test_a_section_goes_before_the_rest_and_that_before_the_models_own():
    training = {
        "max_epoch": 3,
        "valle_conf": {"dropout": 0.1},
        "ar": {"max_epoch": 5, "valle_conf": {"history_dropout": 0.2}},
        "nar": {"valle_conf": {"dropout": 0.3}},
    }
    assert shaped(training, base_model("ar")) == {
        "valle": "ar",
        "max_epoch": 5,
        "valle_conf": {"layers": 2, "dropout": 0.1, "history_dropout": 0.2},
        "model_conf": {"bf16": "auto"},  # this machine may be another
    }
    assert shaped(training, base_model("nar")) == {
        "valle": "nar",
        "max_epoch": 3,
        "valle_conf": {"layers": 2, "dropout": 0.3},
        "model_conf": {"bf16": "auto"},  # this machine may be another
    }


def test_a_type_of_number_that_is_asked_for_is_taken():
    assert shaped({"model_conf": {"bf16": False}}, base_model("ar"))["model_conf"] == {"bf16": False}
    assert shaped({"ar": {"model_conf": {"bf16": True}}}, base_model("ar"))["model_conf"] == {"bf16": True}


@pytest.mark.parametrize("kind", list(MODELS))
@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_are_options_of_the_training(tmp_path, config, kind):
    training = shaped(yaml.safe_load(config.read_text()), base_model(kind))
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(training))
    args = VALLETask.get_parser().parse_args([f"--config={tmp_path}/train.yaml"])
    steps = args.max_epoch * args.num_iters_per_epoch
    assert args.scheduler_conf["warmup_steps_list"][-1] == steps  # the learning rate ends with the training
    assert args.valle == kind


def test_a_section_that_is_none_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("ar: 5\n")
    with pytest.raises(InputError, match=r"bad\.yaml: ar: 5 is no section"):
        finetune_base.main(
            [f"--config={tmp_path}/bad.yaml", "--model_tag=some/model", f"--output_dir={tmp_path}/base"]
        )
