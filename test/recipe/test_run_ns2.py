"""run.sh --model ns2, on a miniature configuration: all stages, again, and beside VALL-E's names."""

import json

import pytest
import soundfile as sf
from miniature import diffusion, run, write_configs

from espnet2_valle.generate.diffusion import DiffusionText2Speech
from espnet2_valle.generate.text2speech import Text2Speech

pytestmark = pytest.mark.recipe
STAGES = ("data", "format", "text", "codec", "train_ns2", "decode", "score", "report", "pack")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder and options of a run of all stages, and what it printed."""
    folder = tmp_path_factory.mktemp("recipe")
    options = diffusion(folder, write_configs(folder))
    done = run(*options)
    assert done.returncode == 0, done.stdout
    return folder, options, done.stdout


def test_all_stages_leave_what_they_promise(finished):
    folder, _, printed = finished
    exp = folder / "exp" / "mini"
    pairs = (folder / "dump" / "mini" / "raw" / "test" / "pairs").read_text().splitlines()
    scores = json.loads((exp / "decode_ns2" / "scores.json").read_text())
    assert sum(scores["systems"]["ns2"]["outcomes"].values()) == len(pairs)
    times = [line.split()[0] for line in (exp / "stage_times").read_text().splitlines()]
    assert [name for name in times if name != "setup"] == list(STAGES)
    assert "Diffusion model (NaturalSpeech 2)" in (exp / "decode_ns2" / "report.html").read_text()
    assert f"{exp}/model_ns2.zip" in printed
    assert not (exp / "ar").exists()


def test_the_packed_model_says_a_recording_again_at_half_the_speed(finished):
    """With its durations: those that a model of a few steps predicts may all be the least ones."""
    folder, _, _ = finished
    raw = folder / "dump" / "mini" / "raw" / "test"
    path = (raw / "wav.scp").read_text().split()[1]
    text = (folder / "data" / "mini" / "test" / "text").read_text().splitlines()[0].split(maxsplit=1)[1]
    speaker = Text2Speech.from_pretrained(str(folder / "exp" / "mini" / "model_ns2.zip"), diffusion_steps=2)
    assert isinstance(speaker, DiffusionText2Speech)
    plain, slow = (speaker(text, path, control=f"reference={path} speed={speed}") for speed in (1.0, 0.5))
    assert len(plain.wav) == pytest.approx(sf.info(path).duration * plain.fs, rel=0.1)
    assert len(slow.wav) == pytest.approx(2 * len(plain.wav), rel=0.1)


def test_a_second_run_does_nothing_again(finished):
    folder, options, _ = finished
    again = run(*options, "--stop_stage", "7")
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("done before") >= 15


def test_a_packed_model_is_finetuned(finished):
    folder, options, _ = finished
    rest = dict(zip(options[::2], options[1::2], strict=True))
    del rest["--ns2_config"]
    rest |= {"--tag": "tuned", "--skip_eval": "true", "--ns2_args": "--max_epoch 1 --num_iters_per_epoch 2"}
    rest["--init_model"] = str(folder / "exp" / "mini" / "model_ns2.zip")
    done = run(*(word for pair in rest.items() for word in pair))
    assert done.returncode == 0, done.stdout
    assert (folder / "exp" / "tuned" / "model_ns2.zip").is_file()
