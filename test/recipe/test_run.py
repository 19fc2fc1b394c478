"""run.sh itself, on a miniature configuration: all stages, again, broken off, and used wrongly."""

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import soundfile
import yaml
from miniature import ROOT, RUN, edited, finetuning, librispeech_test, phone_chooser, run, write_configs

from espnet2_valle.data.layout import TrainedRun
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.mark.detector import Detector
from espnet2_valle.train.index import TrainingIndex

pytestmark = pytest.mark.recipe
STAGES = ("data", "format", "text", "codec", "train_ar", "train_nar", "decode", "score", "report", "pack")
SYSTEMS = ("ground_truth", "codec", "valle")
FIGURES = ("word_accuracy", "wer", "cer", "sim_prompt", "sim_other", "prompt_beats_other", "dnsmos")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder and options of a run of all stages, and what it printed."""
    folder = tmp_path_factory.mktemp("recipe")
    options = write_configs(folder)
    done = run(*options)
    assert done.returncode == 0, done.stdout
    return folder, options, done.stdout


def state(folder: Path) -> dict[str, int]:
    """When each file was written; what every start writes is left out."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("stage_times", ".corpus", ".started", ".systems")
    }


def test_all_stages_leave_what_they_promise(finished):
    folder, _, printed = finished
    exp = folder / "exp" / "mini"
    scores = json.loads((exp / "scores.json").read_text())
    assert set(SYSTEMS) <= scores["systems"].keys()
    pairs = (folder / "dump" / "mini" / "raw" / "test" / "pairs").read_text().splitlines()
    assert scores["pairs"] == len(pairs)
    for system in SYSTEMS:
        assert scores["systems"][system]["n"] == len(pairs)
        for metric in FIGURES:
            assert {"value", "low", "high"} <= scores["systems"][system][metric].keys()
    assert sum(scores["systems"]["valle"]["outcomes"].values()) == len(pairs)
    times = [line.split()[0] for line in (exp / "stage_times").read_text().splitlines()]
    assert [name for name in times if name != "setup"] == list(STAGES)
    assert (exp / "RESULTS.md").read_text().strip() in printed
    assert f"{exp}/report.html" in printed
    assert f"{exp}/model.zip" in printed
    card = zipfile.ZipFile(exp / "model.zip").read("README.md").decode()
    assert f"{len(pairs)} pairs of prompt and text" in card
    assert "utterances, " in card


def test_the_packed_model_speaks(finished):
    folder, _, _ = finished
    raw = folder / "dump" / "mini" / "raw" / "test"
    utterance, path = (raw / "wav.scp").read_text().splitlines()[0].split()
    text = dict(line.split(maxsplit=1) for line in (raw / "text").read_text().splitlines())[utterance]
    tts = Text2Speech.from_pretrained(str(folder / "exp" / "mini" / "model.zip"), max_duration_ratio=1.0)
    said = tts("one two", prompt_speech=path, prompt_text=text)
    assert tts.fs == soundfile.info(path).samplerate
    assert len(said["codes"]) > 0
    assert said["outcome"] in (Outcome.OK, Outcome.HIT_LENGTH_CAP)


@pytest.mark.skipif(find_spec("loralib") is None, reason="loralib is not installed")
def test_a_packed_model_is_finetuned_in_one_command(finished):
    folder, options, _ = finished
    options = [*finetuning(folder, options), "--tag", "tuned", "--skip_eval", "true"]
    done = run(*options, "--init_model", str(folder / "exp" / "mini" / "model.zip"))
    assert done.returncode == 0, done.stdout
    codecs = [folder / "exp" / tag / "codec" for tag in ("tuned", "mini")]
    assert len({(codec / "codec.npz").read_bytes() for codec in codecs}) == 1
    configs = {kind: folder / "exp" / "tuned" / kind / "config.yaml" for kind in ("ar", "nar")}
    dropout = {
        kind: yaml.safe_load(path.read_text())["valle_conf"]["dropout"] for kind, path in configs.items()
    }
    assert dropout == {"ar": 0.0, "nar": 0.3}
    made, base = (yaml.safe_load((codec / "codec.yaml").read_text()) for codec in codecs)
    assert made == base
    tokens = [(folder / "dump" / tag / "token" / "tokens.txt").read_text() for tag in ("tuned", "mini")]
    assert tokens[0] == tokens[1]
    tts = Text2Speech.from_pretrained(str(folder / "exp" / "tuned" / "model.zip"), max_duration_ratio=1.0)
    raw = folder / "dump" / "mini" / "raw" / "test"
    path = (raw / "wav.scp").read_text().split()[1]
    assert len(tts("one two", prompt_speech=path, prompt_text="three four")["codes"]) > 0
    refused = run(*options, "--init_model", str(folder / "gone.zip"), "--tag", "other")
    assert refused.returncode == 1
    assert "no such packed model" in refused.stdout


def test_a_second_run_does_nothing_again(finished):
    folder, options, _ = finished
    before = state(folder)
    again = run(*options)
    assert again.returncode == 0, again.stdout
    assert state(folder) == before
    assert "training; log" not in again.stdout
    assert str(folder / "exp" / "mini" / "report.html") in again.stdout


def test_changed_decoding_is_done_again_and_training_is_not(finished):
    folder, options, _ = finished
    before = state(folder)
    again = run(*options, "--inference_args", "--top_k 3", "--inference_tag", "top3", "--stop_stage", "7")
    assert again.returncode == 0, again.stdout
    after = state(folder)
    new = {path for path in after if before.get(path) != after[path]}
    assert str(folder / "exp" / "mini" / "decode_top3" / "wav.scp") in new
    assert all("decode_top3" in path for path in new)


def test_a_recogniser_of_phones_is_trained_to_choose(finished, tmp_path):
    folder, options, _ = finished
    options = [*options, *phone_chooser(tmp_path), "--inference_tag", "clear"]
    options += ["--stage", "7", "--stop_stage", "7"]
    done = run(*options, "--inference_args", "--best_of 2")
    assert done.returncode == 0, done.stdout
    exp = folder / "exp" / "mini"
    units = json.loads((exp / "phones" / "units.json").read_text())
    assert units["token_type"] == "phn"
    settings = (exp / "decode_clear" / "options.json").read_text()
    assert str(exp / "phones") in settings
    again = run(*options, "--inference_args", "--best_of 2")
    assert again.returncode == 0
    assert "judge_train" not in again.stdout


def test_a_packed_model_continues_recordings_of_a_corpus_for_tests(finished, tmp_path):
    trained, options, _ = finished
    librispeech_test(tmp_path)
    model = str(trained / "exp" / "mini" / "model.zip")
    words = ["--corpus", "librispeech_test", "--db", str(tmp_path), "--download_model", model]
    words += ["--pairs", "pairs_continuation", "--stop_stage", "9"]
    done = run(*without_corpus_options(options), *words)
    assert done.returncode == 0, done.stdout
    results = trained / "exp" / "librispeech_test" / "decode_continuation"
    scores = json.loads((results / "scores.json").read_text())
    assert scores["pairs"] == 6
    assert set(SYSTEMS) <= scores["systems"].keys()
    assert (results / "report.html").exists()


def test_a_packed_model_decodes_a_corpus_for_training_with_its_own_codec(finished, tmp_path):
    folder, _, _ = finished
    model = shutil.copy(folder / "exp" / "mini" / "model.zip", tmp_path)
    options = [*write_configs(tmp_path), "--download_model", model, "--stop_stage", "7"]
    shutil.copytree(folder / "data", tmp_path / "data")
    first = run(*options)
    assert first.returncode == 0, first.stdout
    exp = tmp_path / "exp" / "mini"
    assert not (exp / "codec").exists()
    ours, packed = (sorted((top / "resynthesis").rglob("*.wav")) for top in (folder / "exp" / "mini", exp))
    assert [path.name for path in ours] == [path.name for path in packed]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(ours, packed))
    results = [f"done before: {exp / name / 'wav.scp'}" for name in ("decode", "resynthesis")]
    again = run(*options)
    assert all(result in again.stdout for result in results), again.stdout
    with zipfile.ZipFile(model, "a") as archive:
        archive.comment = b"another model of the same name"
    other = run(*options)
    assert other.returncode == 0, other.stdout
    assert not any(result in other.stdout for result in results)


def without_corpus_options(options: list[str]) -> list[str]:
    """The options but --local_data_opts, which are of `mini`."""
    place = options.index("--local_data_opts")
    return options[:place] + options[place + 2 :]


def test_other_training_settings_do_not_spoil_a_trained_model(finished):
    folder, options, _ = finished
    before = state(folder / "exp" / "mini" / "ar")
    refused = run(*options, "--stage", "5", "--ar_args", "--max_epoch 9 --seed 9")
    assert refused.returncode == 1
    assert "holds a training with another config, codec or data. Choose another --tag" in refused.stdout
    assert "(it would go on)" in refused.stdout
    assert "-> 9.0 (it learns otherwise, so trains anew)" in refused.stdout
    assert state(folder / "exp" / "mini" / "ar") == before


def test_the_index_has_the_languages_of_a_set_that_names_them(finished, tmp_path):
    folder, options, _ = finished
    dump = tmp_path / "dump" / "mini"
    shutil.copytree(folder / "dump" / "mini", dump)
    utterances = [line.split()[0] for line in (dump / "raw" / "valid" / "utt2spk").read_text().splitlines()]
    languages = {utterance: ("de", "en")[number % 2] for number, utterance in enumerate(utterances)}
    (dump / "raw" / "valid" / "utt2lang").write_text(
        "".join(f"{u} {kind}\n" for u, kind in languages.items())
    )
    for name in ("train", "valid"):
        shutil.rmtree(dump / "index" / name)
    elsewhere = ("--dumpdir", str(tmp_path / "dump"), "--expdir", str(tmp_path / "exp"))
    again = run(*options, *elsewhere, "--stage", "4", "--stop_stage", "4")
    assert again.returncode == 0, again.stdout
    index = TrainingIndex(dump / "index" / "valid")
    spoken = {
        index.utterance(number): index.languages[language]
        for number, language in enumerate(index.columns["language"])
    }
    assert spoken == languages
    assert TrainingIndex(dump / "index" / "train").languages == ["und"]


def test_the_models_of_a_run_are_trained_on_a_share_of_its_data(finished):
    folder, options, _ = finished
    before = state(folder / "exp" / "mini")
    done = run(*options, "--train_share", "0.5")
    assert done.returncode == 0, done.stdout
    assert state(folder / "exp" / "mini") == before
    part = folder / "exp" / "mini_0.5"
    assert TrainedRun("0.5", part).model_files("valid.loss.ave.pth")
    index = folder / "dump" / "mini" / "index"
    sizes = [len(TrainingIndex(index / name)) for name in ("train_0.5", "train")]
    assert 0 < sizes[0] < sizes[1]
    data = yaml.safe_load((part / "ar" / "config.yaml").read_text())["train_data_path_and_name_and_type"]
    assert data[0][0] == str(index / "train_0.5")


def test_a_killed_training_goes_on_where_it_was(finished):
    folder, options, _ = finished
    shutil.copytree(folder / "dump", folder / "dump2")
    options = [*options, "--expdir", str(folder / "exp2"), "--dumpdir", str(folder / "dump2")]
    options += ["--stage", "4", "--stop_stage", "5"]
    options += ["--ar_args", "--max_epoch 8"]
    process = subprocess.Popen(
        [str(RUN), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    ar = folder / "exp2" / "mini" / "ar"
    while process.poll() is None and not (ar / "2epoch.pth").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (ar / "checkpoint.pth").exists()
    assert not (ar / ".done").exists()
    done = run(*options)
    assert done.returncode == 0, done.stdout
    log = (ar / "train.log").read_text()
    assert "The training was resumed" in log
    assert log.count(" 1/8epoch started") == 1
    assert (ar / "valid.loss.ave.pth").exists()


def test_a_finished_training_goes_on_with_more_epochs(finished):
    folder, options, _ = finished
    shutil.copytree(folder / "dump", folder / "dump3")
    options = [*options, "--expdir", str(folder / "exp3"), "--dumpdir", str(folder / "dump3")]
    first = run(*options, "--stage", "4", "--stop_stage", "5", "--ar_args", "--max_epoch 1")
    assert first.returncode == 0, first.stdout
    ar = folder / "exp3" / "mini" / "ar"
    before = {path.name: path.stat().st_mtime_ns for path in ar.iterdir()}
    more = run(*options, "--stage", "5", "--stop_stage", "5", "--ar_args", "--max_epoch 2")
    assert more.returncode == 0, more.stdout
    assert "goes on with other settings: max_epoch: 1.0 -> 2.0" in more.stdout
    log = (ar / "train.log").read_text()
    assert [log.count(f"{epoch}epoch started") for epoch in ("1/1", "1/2", "2/2")] == [1, 0, 1]
    assert "The training was resumed" in log
    assert (ar / "1epoch.pth").stat().st_mtime_ns == before["1epoch.pth"]
    assert (ar / "2epoch.pth").is_file()
    again = run(*options, "--stage", "5", "--stop_stage", "5", "--ar_args", "--max_epoch 2")
    assert again.returncode == 0
    assert "training; log" not in again.stdout


def test_baselines_and_others_stand_beside_valle(finished, tiny_baselines, tmp_path):
    """VITS, FastSpeech 2 after its teacher, another lab's folder. Last of those that change `finished`."""
    folder, options, _ = finished
    shutil.copytree(folder / "exp" / "mini" / "resynthesis" / "wav", tmp_path / "theirs")
    more = ["--baseline", "vits fastspeech2", "--baseline_conf", str(tiny_baselines)]
    refused = run(*options, *more, "--stage", "7")
    assert refused.returncode == 1
    assert "stage 7 needs what stage 6 writes" in refused.stdout
    more += ["--systems", f"theirs={tmp_path / 'theirs'}", "--stage", "6", "--stop_stage", "9"]
    done = run(*options, *more)
    assert done.returncode == 0, done.stdout
    exp = folder / "exp" / "mini"
    systems = json.loads((exp / "scores.json").read_text())["systems"]
    assert list(systems) == [*SYSTEMS, "vits", "fastspeech2", "theirs"]
    times = dict(line.split() for line in (exp / "stage_times").read_text().splitlines())
    learnt = {"fastspeech2": ("train_tacotron2", "train_fastspeech2"), "valle": ("train_ar", "train_nar")}
    for system, stages in learnt.items():
        minutes = systems[system]["training_minutes"]["value"]
        assert minutes == pytest.approx(sum(int(times[stage]) for stage in stages) / 60)
    report = (exp / "report.html").read_text()
    assert all(name in report for name in ("VITS", "FastSpeech 2", "theirs"))
    before = state(folder)
    again = run(*options, *more)
    assert again.returncode == 0, again.stdout
    assert state(folder) == before


@pytest.mark.parametrize(
    ("stage", "needed"), [(2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 2), (8, 7), (9, 8), (10, 5)]
)
def test_a_stage_before_the_one_it_needs_names_that_stage(tmp_path, stage, needed):
    options = ["--datadir", str(tmp_path), "--dumpdir", str(tmp_path), "--expdir", str(tmp_path)]
    refused = run(*options, "--stage", str(stage), "--stop_stage", str(stage))
    assert refused.returncode == 1
    assert f"stage {stage} needs what stage {needed} writes" in refused.stdout
    assert f"Run stage {needed} first: --stage {needed}" in refused.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tokn_type", "char"], "unknown option '--tokn_type'"),
        (["--PATH", "x"], "unknown option '--PATH'"),
        (["--stage"], "option '--stage' has no value"),
        (["--stage", "two"], "--stage: 'two' is not a whole number"),
        (["--skip_train", "yes"], "option '--skip_train' is true or false, not 'yes'"),
        (["--corpus", "nothing"], "--corpus: unknown corpus 'nothing'"),
        (["--corpus", "folder"], "which folder? Give --db DIR"),
        (["--corpus", "folder", "--db", "/no/such"], "--db: no such folder"),
        (["--db", "/tmp"], "--db: mini has no folder; add --corpus folder"),
        (["--codec_model", "a.pth", "--init_model", "a.zip"], "--codec_model: a packed model has its codec"),
        (
            ["--codec_model", "a.pth", "--download_model", "a.zip"],
            "--codec_model: a packed model has its codec",
        ),
        (["--ar_config", "gone.yaml"], "gone.yaml: no such config"),
        (["--tag", "a/b"], "--tag: 'a/b' cannot name a folder"),
        (["--skip_upload_hf", "false"], "no repository is named"),
        (["--baseline", "vits yourtts"], "--baseline: there is no 'yourtts'. Choose among vits"),
        (["--baseline", "vits", "--baseline_conf", "gone"], "gone/vits.yaml: no such config"),
        (["--train_share", "2"], "--train_share: '2' is not a number between 0 and 1"),
        (["--systems", "theirs"], "--systems: 'theirs' is not NAME=FOLDER"),
        (["--systems", "theirs=/no/such"], "--systems: /no/such: no such folder"),
        (["--phone_chooser", "true"], "--phone_chooser: a single candidate leaves it no choice"),
        (["more"], "unexpected argument 'more'"),
    ],
)
def test_wrong_options_are_named(options, message):
    refused = run(*options)
    assert refused.returncode in (1, 2)
    assert message in refused.stdout


def test_help_tells_all_options():
    shown = run("--help")
    assert shown.returncode == 0
    for option in ("--corpus", "--stage", "--g2p", "--train_args", "--inference_tag", "--gpu_inference"):
        assert option in shown.stdout


def test_a_real_folder_goes_the_same_way_as_far_as_its_tokens(tmp_path):
    """Stages 1 to 3 on sentences that a woman read, if they are there."""
    shared = Path(os.environ.get("ESPNET2_VALLE_SHARED", ROOT.parent / "shared"))
    corpus = shared / "corpora" / "ljspeech_en"
    if not corpus.is_dir():
        pytest.skip("the recordings are not in ../shared")
    options = ["--corpus", "folder", "--db", str(corpus), "--nj", "1", "--stop_stage", "3"]
    options += ["--token_type", "char", "--local_data_opts", "--test_share 0.3"]
    options += ["--datadir", str(tmp_path / "data"), "--dumpdir", str(tmp_path / "dump")]
    done = run(*options, "--expdir", str(tmp_path / "exp"))
    assert done.returncode == 0, done.stdout
    pairs = (tmp_path / "dump" / "ljspeech_en" / "raw" / "test" / "pairs").read_text().splitlines()
    assert len(pairs) >= 20
    assert all(pair.endswith(" -") for pair in pairs)  # one speaker: no other voice
    assert not (tmp_path / "data" / "ljspeech_en" / "vocabulary").exists()
    assert (tmp_path / "dump" / "ljspeech_en" / "token" / "tokens.txt").exists()


def test_speed_perturbation_doubles_the_voices_of_training_alone(finished, tmp_path):
    folder, _, _ = finished
    options = write_configs(tmp_path)
    shutil.copytree(folder / "data", tmp_path / "data")
    done = run(*options, "--stage", "2", "--stop_stage", "3", "--speed_perturb_factors", "0.9")
    assert done.returncode == 0, done.stdout
    raw, token = (tmp_path / "dump" / "mini" / kind for kind in ("raw", "token"))
    recorded = (raw / "train" / "spk2utt").read_text().split("\n")
    trained = (raw / "train_sp" / "spk2utt").read_text().split("\n")
    assert trained[:-1] == sorted(
        recorded[:-1] + ["sp0.9-" + line.replace(" ", " sp0.9-") for line in recorded[:-1]]
    )
    assert len((token / "train_sp" / "token_int").read_text().splitlines()) == sum(
        len(line.split()) - 1 for line in trained[:-1]
    )
    assert not (token / "train").exists()
    assert not list(raw.glob("*test*/wav/sp*"))


def test_sentences_read_aloud_join_the_training_alone(finished, tmp_path):
    folder, _, _ = finished
    options = write_configs(tmp_path)
    shutil.copytree(folder / "data", tmp_path / "data")
    options += ["--stage", "2", "--stop_stage", "4", "--speed_perturb_factors", "0.9", "--read_aloud"]
    done = run(*options, "some")
    assert done.returncode == 1
    assert "--read_aloud: 'some' is not a number of sentences" in done.stdout
    done = run(*options, "3")
    assert done.returncode == 0, done.stdout
    dump = tmp_path / "dump" / "mini"
    voiced, everything = (
        set((dump / "raw" / name / "utt2spk").read_text().splitlines())
        for name in ("train_sp", "train_sp_ra")
    )
    assert voiced < everything
    assert [line.split()[1].startswith("espeak-") for line in everything - voiced] == [True] * 3
    assert len((dump / "token" / "train_sp_ra" / "token_int").read_text().splitlines()) == len(everything)
    assert (dump / "index" / "train_sp_ra").is_dir()
    assert not (dump / "token" / "train_sp").exists()


def test_a_detector_is_trained_on_what_the_systems_said(finished):
    """Of a test set with a third speaker, made up from the two that there are."""
    folder, options, _ = finished
    for path in (folder / "data" / "mini" / "test", folder / "dump" / "mini" / "raw" / "test"):
        speakers = [line.split() for line in (path / "utt2spk").read_text().splitlines()]
        third = [[utt, "third" if number % 3 == 2 else who] for number, (utt, who) in enumerate(speakers)]
        (path / "utt2spk").write_text("".join(f"{utt} {who}\n" for utt, who in third))
        names = sorted({who for _, who in third})
        lines = (" ".join([name, *(utt for utt, who in third if who == name)]) for name in names)
        (path / "spk2utt").write_text("".join(f"{line}\n" for line in lines))
    config = edited(
        "detector/train_asvspoof.yaml",
        folder / "detector.yaml",
        encoder_conf={"width": 16},
        **{"num_iters_per_epoch": 2, "max_epoch": 1, "batch_size": 4},
    )
    words = [
        *options,
        "--stage",
        "8",
        "--stop_stage",
        "8",
        "--detector",
        "true",
        "--detector_config",
        str(config),
    ]
    done = run(*words)
    assert done.returncode == 0, done.stdout
    assert "never heard |" in done.stdout
    detector = folder / "exp" / "mini" / "detector"
    systems = json.loads((detector / "scores.json").read_text())["systems"]
    assert [row["system"] for row in systems] == ["codec", "valle", "codec", "valle"]
    assert (
        Detector.open(detector).threshold == json.loads((detector / "detector.json").read_text())["threshold"]
    )
    again = run(*words)
    assert again.returncode == 0
    assert f"done before: {detector}/DETECTOR.md" in again.stdout
