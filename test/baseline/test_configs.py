"""Every configuration builds its system."""

import pytest

from espnet2_valle.baseline.data import TrainingData, model_options
from espnet2_valle.baseline.kinds import KINDS
from espnet2_valle.baseline.training import run_espnet
from espnet2_valle.common.conf import CONF

FOLDER = CONF / "baseline"


@pytest.mark.parametrize("size", ["mini", "full"])
@pytest.mark.parametrize("name", KINDS)
def test_every_config_builds(corpus, tmp_path, size, name):
    sets = {"train": "train", "valid": "valid"}
    data = TrainingData(corpus / "raw", corpus / "token", corpus / "spembs", None, sets, 24000)
    command = [*model_options(KINDS[name], FOLDER / size / f"{name}.yaml", data), "--dry_run", "true"]
    for option in KINDS[name].statistics:
        command += [f"--{option}", "none"]
    run_espnet(KINDS[name].task, [*command, "--output_dir", str(tmp_path), "--ngpu", "0"])
    assert (tmp_path / "config.yaml").is_file()


@pytest.mark.parametrize("size", ["mini", "full"])
def test_teacher_and_student_count_the_same_frames_a_step(size):
    lines = [
        next(
            line
            for line in (FOLDER / size / f"{name}.yaml").read_text().splitlines()
            if "reduction_f" in line
        )
        for name in ("tacotron2", "fastspeech2")
    ]
    assert lines[0].split()[:2] == lines[1].split()[:2]


def test_folders_of_all_sizes_have_all_kinds():
    for size in ("mini", "full"):
        assert {path.stem for path in (FOLDER / size).glob("*.yaml")} == set(KINDS)
