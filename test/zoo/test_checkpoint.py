"""Opening models needs nothing of ESPnet's trainer."""

import argparse
import subprocess
import sys

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo.checkpoint import build_model

TRAINERS = ("espnet2.tasks", "espnet2.train.trainer", "espnet2_valle.tasks", "espnet2_valle.train", "nltk")


def test_synthesis_imports_no_trainer():
    """In a fresh process, since others have imported it in this one."""
    code = "import sys, espnet2_valle.generate.text2speech; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert "torch" in loaded
    found = [name for name in loaded for trainer in TRAINERS if f"{name}.".startswith(f"{trainer}.")]
    assert found == []


def test_a_model_that_there_is_not_is_named():
    spec = {"name": "world", "sample_rate": 1, "frame_rate": 1.0, "num_codebooks": 2, "codebook_size": 4}
    args = argparse.Namespace(valle="diffusion", codec_config=spec, token_list=["<unk>"])
    with pytest.raises(InputError, match="--valle: there is no model 'diffusion'. Choose among ar, nar"):
        build_model(args)
