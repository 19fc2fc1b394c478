import shutil
import subprocess
import sys

import pytest
import torch
import yaml

from espnet2_valle.bin import pack, valle_inference
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz, write_model


@pytest.fixture(scope="module")
def text2speech(files):
    return Text2Speech(**files)


def test_result_has_sound_codes_and_outcome(text2speech):
    result = text2speech("a b", buzz(110, 1.0), "b c", prompt_fs=RATE)
    assert result["outcome"] in (Outcome.OK, Outcome.HIT_LENGTH_CAP)
    frames, quantizers = result["codes"].shape
    assert quantizers == 2
    assert result["wav"].dtype == torch.float32
    assert len(result["wav"]) == pytest.approx(frames / 50 * text2speech.fs, rel=0.2)


def test_the_seed_decides(text2speech):
    runs = [text2speech("a b", buzz(110, 1.0), "b c", RATE, seed)["codes"].tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_cap_follows_the_prompts_rate(files):
    capped = Text2Speech(**files, min_duration_ratio=2.0, max_duration_ratio=2.0)
    result = capped("a b", buzz(110, 1.0), "b c", prompt_fs=RATE)
    assert len(result["codes"]) == 2 * 50  # the same number of tokens as the prompt, twice as long


@pytest.mark.parametrize(
    ("text", "prompt_text", "message"),
    [("a", " ", "prompt_text: is empty"), ("xyz", "a", "no symbol"), ("a", "?", "prompt_text.*no symbol")],
)
def test_texts_that_cannot_serve(text2speech, text, prompt_text, message):
    with pytest.raises(InputError, match=message):
        text2speech(text, buzz(110, 1.0), prompt_text, prompt_fs=RATE)


def test_models_and_codec_must_belong_together(files, system, tmp_path):
    with pytest.raises(InputError, match="--codec_config"):
        Text2Speech(**{**files, "codec_config": None})
    swapped = {
        **files,
        "ar_model_file": files["nar_model_file"],
        "ar_train_config": files["nar_train_config"],
    }
    with pytest.raises(InputError, match="holds a VALLENAR"):
        Text2Speech(**swapped)
    shutil.copytree(system / "codec", tmp_path / "codec")
    spec = yaml.safe_load((tmp_path / "codec" / "codec.yaml").read_text())
    (tmp_path / "codec" / "codec.yaml").write_text(yaml.safe_dump({**spec, "codebook_size": 32}))
    write_model(tmp_path / "ar", "ar", tmp_path / "codec" / "codec.yaml")
    other = {"ar_train_config": tmp_path / "ar/config.yaml", "ar_model_file": tmp_path / "ar/model.pth"}
    with pytest.raises(InputError, match="--ar_model_file was trained with"):
        Text2Speech(**{**files, **other})


def inference_options(system, files, output):
    command = [f"--{name}={path}" for name, path in files.items()]
    return [*command, f"--pairs={system}/pairs", f"--data_dir={system}/data", f"--output_dir={output}"]


def outputs(folder):
    return {path.name: path.read_bytes() for path in sorted([*folder.glob("wav/*"), folder / "outcomes"])}


def test_pairs_in_parallel_equal_pairs_in_turn(system, files, tmp_path):
    valle_inference.main(inference_options(system, files, tmp_path / "one"))
    # As a user starts it: a command's own names cannot be sent to workers, and only this shows it.
    command = [sys.executable, "-m", "espnet2_valle.bin.valle_inference", "--nj=2"]
    subprocess.run([*command, *inference_options(system, files, tmp_path / "two")], check=True)
    assert outputs(tmp_path / "one") == outputs(tmp_path / "two")
    assert len((tmp_path / "one" / "wav.scp").read_text().splitlines()) == 3


def test_a_killed_run_goes_on_where_it_was(system, files, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    valle_inference.main(inference_options(system, files, whole))
    synthesise = valle_inference._synthesise

    def die_at_p2(model, output, jobs):
        if jobs[0].pair_id == "p2":
            raise KeyboardInterrupt
        return synthesise(model, output, jobs)

    monkeypatch.setattr(valle_inference, "_synthesise", die_at_p2)
    with pytest.raises(KeyboardInterrupt):
        valle_inference.main(inference_options(system, files, broken))
    assert not (broken / "outcomes").exists()
    with open(broken / "journal.jsonl", "a") as journal:
        journal.write('{"p3": "o')  # the line that was being written
    seen = []
    monkeypatch.setattr(
        valle_inference,
        "_synthesise",
        lambda *given: (seen.append(given[2][0].pair_id), synthesise(*given))[1],
    )
    valle_inference.main(inference_options(system, files, broken))
    assert seen == ["p2", "p3"]
    assert outputs(broken) == outputs(whole)
    valle_inference.main(inference_options(system, files, broken))
    assert seen == ["p2", "p3"]  # nothing is left to do
    valle_inference.main([*inference_options(system, files, broken), "--temperature=0"])
    assert seen[2:] == ["p1", "p2", "p3"]  # other options, other speech


def test_a_bad_prompt_is_an_outcome_of_its_pair(system, files, tmp_path, capsys):
    shutil.copytree(system / "data", tmp_path / "data")
    (tmp_path / "silent.wav").write_bytes((system / "data/wav/low_0.wav").read_bytes()[:44] + bytes(48000))
    scp = (tmp_path / "data" / "wav.scp").read_text()
    (tmp_path / "data" / "wav.scp").write_text(
        scp.replace(f"low_0 {system}/data/wav/low_0.wav", f"low_0 {tmp_path}/silent.wav")
    )
    command = inference_options(system, files, tmp_path / "out")
    valle_inference.main([*command, f"--data_dir={tmp_path}/data"])
    outcomes = dict(line.split() for line in (tmp_path / "out" / "outcomes").read_text().splitlines())
    assert outcomes["p1"] == "prompt_rejected"
    assert outcomes["p2"] != "prompt_rejected"
    assert "silent.wav" in capsys.readouterr().out


def test_an_unknown_utterance_is_named(system, files, tmp_path):
    (tmp_path / "pairs").write_text("p1 low_0 nobody high_0\n")
    command = inference_options(system, files, tmp_path / "out")
    with pytest.raises(InputError, match="nobody"):
        valle_inference.main([*command, f"--pairs={tmp_path}/pairs"])
    assert not (tmp_path / "out").exists()


def test_one_utterance_from_a_packed_model(system, files, tmp_path, monkeypatch):
    """Stage 10's zip needs none of the files it was made from."""
    monkeypatch.setenv("HOME", str(tmp_path))
    pack.main([*[f"--{name}={path}" for name, path in files.items()], f"--output={tmp_path}/model.zip"])
    prompt = system / "data" / "wav" / "low_0.wav"
    direct = Text2Speech(**files)("a b c", prompt, "a b")
    shutil.move(system / "codec" / "codec.npz", tmp_path)
    packed = Text2Speech.from_pretrained(str(tmp_path / "model.zip"))
    shutil.move(tmp_path / "codec.npz", system / "codec")
    opened = {path.name for path in (tmp_path / ".cache").rglob("*") if path.is_file()}
    assert opened == {"meta.yaml", "config.yaml", "model.pth", "codec.yaml", "codec.npz"}
    assert torch.equal(packed("a b c", prompt, "a b")["codes"], direct["codes"])
    valle_inference.main(
        [
            f"--model_tag={tmp_path}/model.zip",
            "--text=a b c",
            f"--prompt_speech={prompt}",
            "--prompt_text=a b",
            f"--output_wav={tmp_path}/out.wav",
        ]
    )
    assert (tmp_path / "out.wav").stat().st_size > 1000


def test_packed_models_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no such packed model"):
        Text2Speech.from_pretrained(str(tmp_path / "none.zip"))
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match="not a packed model"):
        Text2Speech.from_pretrained(str(tmp_path / "text.zip"))


def test_options_that_belong_together_are_asked_for(files):
    with pytest.raises(InputError, match="--prompt_speech: is not given"):
        valle_inference.main([*[f"--{name}={path}" for name, path in files.items()], "--text=a"])
