import os
import subprocess
import sys
from pathlib import Path

import pytest

from espnet2_valle.bin import recipe
from espnet2_valle.common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
# Without site-packages, as on a machine where nothing is installed yet.
BARE = [sys.executable, "-S", "-m"]


def bare(*words, cwd=ROOT / "egs2" / "valle"):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*BARE, *words], cwd=cwd, env=environment, capture_output=True, text=True)


def test_options_are_read_before_anything_is_installed(tmp_path):
    assert bare("espnet2_valle.bin.recipe", "extras", "--", "--stage", "2").stdout == "espeak,score\n"
    refused = bare("espnet2_valle.bin.recipe", "extras", "--", "--stage", "two")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: --stage: 'two' is not a whole number")
    assert "--stop_stage 11" in bare("espnet2_valle.bin.recipe", "help").stdout
    words = [
        "corpus",
        "--called_from",
        str(tmp_path),
        "--recipe",
        ".",
        "--",
        "--corpus",
        "folder",
        "--db",
        ".",
        "--tag",
        "a",
    ]
    expected = f"--corpus folder --db {tmp_path} --tag a\n"
    assert bare("espnet2_valle.bin.recipe", *words).stdout == expected


def test_a_step_needs_python_alone(tmp_path):
    done = bare("espnet2_valle.bin.step", "marker", "out", "--", "touch", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "marker").is_file()


def test_scorers_that_cannot_be_had_are_named(tmp_path):
    config = tmp_path / "score.yaml"
    config.write_text("judge: {name: espnet, model: .}\n")
    with pytest.raises(Exception, match="config.yaml: no such file of the recogniser"):
        recipe.main(["scorers", str(config)])
    config.write_text("judge: none\n")
    recipe.main(["scorers", str(config)])


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        (
            "--ar_args",
            "--max_epochs five",
            "--ar_args: '--max_epochs five': unrecognized arguments: --max_epochs",
        ),
        ("--train_args", "--max_epoch five", "--max_epoch: invalid int value: 'five'"),
        (
            "--nar_args",
            "--max_passes -1",
            "--nar_args: '--max_passes -1': --max_passes: -1.0 is out of range",
        ),
        ("--inference_args", "--top_pp 0.9", "unrecognized arguments: --top_pp"),
        ("--inference_args", "--device tpu", "'tpu' is no device"),
        ("--ar_config", "bach_bins: 9\n", "unrecognized arguments: bach_bins"),
        ("--inference_config", "top_pp: 0.9\n", "unrecognized arguments: top_pp"),
        ("--judge_config", "encodr: x\n", "unrecognized arguments: encodr"),
        ("--baseline_args", "--max_epochs 5", "--baseline_args: '--max_epochs 5': unrecognized arguments"),
    ],
)
def test_what_later_stages_hand_on_is_checked_before_the_first(tmp_path, monkeypatch, option, given, told):
    monkeypatch.chdir(ROOT / "egs2" / "valle")
    if option.endswith("_config"):
        (tmp_path / "c.yaml").write_text(given)
        given = str(tmp_path / "c.yaml")
    words = ["settings", "--", "--expdir", str(tmp_path), option, given]
    with pytest.raises(InputError) as caught:
        recipe.main([*words, "--baseline", "vits"] if option.startswith("--baseline") else words)
    assert told in str(caught.value)


def test_what_later_stages_take_is_let_through(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "egs2" / "valle")
    words = [
        "settings",
        "--",
        "--expdir",
        str(tmp_path),
        "--train_args",
        "--max_epoch 3 --model_conf bf16=false",
    ]
    words += ["--ar_config", "../../conf/tuning/train_ar_mini_long.yaml", "--inference_args", "--best_of 8"]
    recipe.main(words)
    printed = capsys.readouterr().out
    assert "ar_options=(--max_epoch 3 --model_conf bf16=false)" in printed
    subprocess.run(["bash", "-euc", printed], check=True)  # nothing else is printed


@pytest.mark.parametrize("corpus", ["mini_x", "mini_emo"])
def test_what_a_corpus_wants_otherwise_is_let_through(tmp_path, monkeypatch, capsys, corpus):
    monkeypatch.chdir(ROOT / "egs2" / "valle")
    recipe.main(["settings", "--", "--expdir", str(tmp_path), "--corpus", corpus])
    assert f"train_ar_{corpus}.yaml" in capsys.readouterr().out


def test_a_stage_begins_when_the_one_before_has_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "egs2" / "valle")
    words = ["--", "--expdir", str(tmp_path)]
    recipe.main(["begin", "1", "data", "--ended", "other", "5", *words])
    assert capsys.readouterr().out.endswith(" stage 1: data\n")
    recipe.main(["end", "data", "7", *words])
    times = (tmp_path / "mini" / "stage_times").read_text().splitlines()
    assert [line for line in times if not line.startswith("setup ")] == ["other 5", "data 7"]
