import os
import subprocess
from pathlib import Path

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.command_line import extras, print_results, settings_of, variables


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    """The recipe's folder, whose results go elsewhere."""
    monkeypatch.chdir(Path(__file__).resolve().parents[2] / "egs2" / "valle")
    return tmp_path


def evaluated(words, name):
    """What a shell has in a variable, word by word."""
    script = f'set -euo pipefail\n{variables(words)}printf "%s\\n" "${{{name}[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_shell_gets_options_and_what_follows_from_them(recipe):
    words = [
        "--expdir",
        f"{recipe}/my exp",
        "--nj",
        "2",
        "--train_args",
        "--max_epoch 5",
        "--stop_stage",
        "3",
    ]
    assert evaluated(words, "decode") == [f"{recipe}/my exp/mini/decode"]
    assert evaluated(words, "ar_options") == ["--max_epoch", "5"]
    assert evaluated(words, "stages") == ["1 2 3"]
    assert evaluated(words, "workers") == ["--nj", "2"]
    assert evaluated(words, "gpu_inference") == ["false"]


def test_a_corpus_has_defaults_and_the_user_the_last_word():
    assert settings_of([]).options.local_data_opts == "--config ../../conf/mini.yaml"
    assert settings_of(["--local_data_opts", "--seed 1"]).options.local_data_opts == "--seed 1"
    assert settings_of(["--corpus", "librispeech_test"]).options.train_set == ""
    several = settings_of(["--corpus", "mini_x"])
    assert several.options.local_data_opts == "--config ../../conf/mini_x.yaml"
    assert several.options.g2p.startswith("en=espeak:en-us zh=pypinyin_g2p_phone ")
    assert several.ar_config == "../../conf/train_ar_mini_x.yaml"
    assert (
        settings_of(["--corpus", "mini_x", "--model_size", "base"]).ar_config
        == "../../conf/train_ar_base.yaml"
    )
    assert settings_of(["--corpus", "mini_x", "--model", "ns2"]).options.ar_config == ""
    mandarin = settings_of(["--corpus", "aishell3", "--g2p", "mine"])
    assert mandarin.options.g2p == "mine"
    assert mandarin.score_config == "../../conf/score/aishell3.yaml"
    assert settings_of(["--corpus", "folder"]).options.local_data_opts == ""


def test_several_corpora_have_the_defaults_of_each():
    mandarin = settings_of(["--corpus", "aishell3 folder", "--db", "/a /b"])
    assert mandarin.options.g2p == "pypinyin_g2p_phone_without_prosody"
    assert (
        settings_of(["--corpus", "vctk folder", "--db", "/a /b"]).options
        == settings_of(["--corpus", "vctk folder", "--db", "/a /b", "--local_data_opts", ""]).options
    )


def test_finetuning_needs_more_installed_and_goes_by_the_packed_model(recipe):
    assert extras([]) == "espeak,score"
    words = ["--init_model", "zoo/name", "--expdir", str(recipe)]
    assert extras(words) == "espeak,score,finetune"
    assert extras(["--codec", "lyra"]) == "espeak,score,lyra"
    assert extras(["--corpus", "mini_x"]) == "espeak,score,emotion"
    assert extras(["--corpus", "mini_x", "--language_recognizer", "false"]) == "espeak,score"
    assert settings_of(words).options.token_type == "phn"
    base = recipe / "mini" / "base"
    base.mkdir(parents=True)
    asked = {"token_type": "bpe", "g2p": "none", "cleaner": "none", "fs": "16000"}
    asked |= {f"{kind}_config": f"{base}/my train_{kind}.yaml" for kind in ("ar", "nar")}
    (base / "options").write_text("".join(f"{name} {value}\n" for name, value in asked.items()))
    settings = settings_of(words)
    assert (settings.options.token_type, settings.options.fs) == ("bpe", 16000)
    assert settings.ar_config == f"{base}/my train_ar.yaml"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ar_config", "gone.yaml"], "gone.yaml: no such config (relative to "),
        (["--cluster", "gone.yaml"], "gone.yaml: no such config"),
        (
            ["--corpus", "librispeech_test"],
            "has a test set only. Name a packed model to score on it with --down",
        ),
        (["--systems", "theirs"], "--systems: 'theirs' is not NAME=FOLDER"),
        (["--systems", "theirs=/no/such"], "--systems: /no/such: no such folder"),
        (["--systems", "codec=/tmp"], "--systems: 'codec' is taken or has a slash"),
        (["--systems", "a=/tmp a=/tmp"], "--systems: 'a' is taken"),
        (["--phone_chooser", "true"], "--phone_chooser: a single candidate leaves it no choice"),
        (["--baseline", "vits yourtts"], "--baseline: there is no 'yourtts'. Choose among"),
        (["--baseline", "fastspeech2", "--baseline_conf", "gone"], "gone/tacotron2.yaml: no such config"),
        (
            ["--train_share", "0.5", "--expdir", "/no/such"],
            "/no/such/mini has no codec yet. Run stages 1 to 4",
        ),
        (["--corpus", "nothing"], "nothing"),
        (["--corpus", "vctk nothing", "--db", "/a /b"], "nothing"),
        (
            ["--corpus", "vctk an4", "--db", "/a"],
            "--db: names 1, and the corpora are 2: vctk an4. Name a folder",
        ),
        (
            ["--corpus", "vctk librispeech_test", "--db", "/a /b"],
            "--corpus: librispeech_test has a test set only. Leave it out; with --local_data_opts",
        ),
        (
            ["--corpus", "vctk an4", "--db", "/a /b", "--test_sets", "test_mini"],
            "--test_sets: the corpora have no test set 'test_mini'. Choose among test test_vctk test_an4",
        ),
        (["--corpus_weights", "mini=2"], "--corpus_weights: 'mini=2' is not NAME=NUMBER of one of several"),
        (
            ["--stage", "5", "--stop_stage", "4"],
            "--stage: 5, --stop_stage 4 and what is skipped leave no stage",
        ),
        (["--stage", "12"], "leave no stage to run. Give stages of 1 to 11"),
        (["--stage", "11"], "leave no stage to run. Add --skip_upload_hf false --hf_repo LAB/NAME"),
        (["--fs", "16000"], "--fs: 16000 Hz, and the codec of ../../conf/codec/world.yaml works at 24000 Hz"),
        (["--ar_config", __file__], "is not YAML"),
        (["--g2p", "espeak_ng_klingon"], "--g2p: unknown value 'espeak_ng_klingon'. Choose one of"),
        (["--cleaner", "soap"], "--cleaner soap"),
        (["--codec", "mp3"], "codec: there is no 'mp3'"),
        (["--cluster", "../../conf/decode.yaml"], "there is no key 'accent'"),
        (["--codec_config", "../../conf/decode.yaml"], "there is no key"),
        (["--download_model", "gone.zip"], "gone.zip: no such packed model"),
        (["--inference_model", "best.pth"], "--inference_model: 'best.pth' is no name of a checkpoint"),
        (["--ngpu", "1"], "--ngpu: torch finds no GPU here. Give --ngpu 0"),
        (["--expdir", "/proc/exp"], "--expdir: /proc/exp cannot be written"),
        (["--dumpdir", "/dev/null/dump"], "--dumpdir: /dev/null/dump cannot be written"),
        (["--datadir", __file__], f"--datadir: {__file__} is no folder"),
    ],
)
def test_what_does_not_go_is_named(words, message, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InputError) as caught:
        variables(words)
    assert message in str(caught.value)


def test_the_rate_of_a_codec_may_be_that_of_its_base(recipe):
    (recipe / "mine.yaml").write_text("base: codec/world.yaml\ncodebook_size: 512\n")
    mine = ["--codec_config", str(recipe / "mine.yaml"), "--ngpu", "0"]
    assert evaluated(mine, "stages")
    with pytest.raises(InputError, match=r"mine\.yaml works at 24000 Hz. Give --fs 24000"):
        variables([*mine, "--fs", "16000"])
    (recipe / "mine.yaml").write_text("base: codec/world.yaml\ncodebook: 512\n")
    with pytest.raises(InputError, match=r"mine\.yaml: there is no key 'codebook'"):
        variables(mine)


def test_a_run_ends_with_what_there_is(recipe, capsys):
    settings = settings_of(["--expdir", str(recipe)])
    print_results(settings)
    assert capsys.readouterr().out == ""
    exp = recipe / "mini"
    exp.mkdir()
    (exp / "RESULTS.md").write_text("# Scores\n")
    (exp / ".done_score").touch()
    (exp / "model.zip").touch()
    print_results(settings)
    shown = capsys.readouterr().out
    assert "# Scores" in shown
    assert shown.endswith(f" {exp}/model.zip\n")
    assert "report.html" not in shown


def test_scores_of_an_earlier_decoding_are_not_shown_as_those_of_this_one(recipe, capsys):
    settings = settings_of(["--expdir", str(recipe)])
    exp = recipe / "mini"
    (exp / "decode").mkdir(parents=True)
    (exp / "RESULTS.md").write_text("# Scores\n")
    decoded, scored = exp / "decode" / ".done", exp / ".done_score"
    for when, file in enumerate((decoded, scored)):
        file.touch()
        os.utime(file, (when, when))
    print_results(settings)
    assert "# Scores" in capsys.readouterr().out
    os.utime(decoded, (2, 2))
    print_results(settings)
    shown = capsys.readouterr().out
    assert "# Scores" not in shown
    assert "stage 8 scores anew" in shown
