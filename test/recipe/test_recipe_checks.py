from pathlib import Path

import pytest

from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.checks import (
    check_begun_codec,
    check_candidates,
    check_codec,
    check_detector,
    check_judges,
    check_labels,
    check_language,
    check_settings,
    check_stage,
    needs,
)
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import Settings

G2P = "espeak_ng_english_us_vits"


@pytest.fixture
def speech(tmp_path):
    """Settings of a run in a folder, with these options."""
    (tmp_path / "data" / "mini" / "test").mkdir(parents=True)

    def make(**options):
        folders = {f"{kind}dir": str(tmp_path / kind) for kind in ("data", "dump", "exp")}
        return Settings(Options(**folders, **options))

    return make


def test_gpus_are_looked_for_before_the_run(speech, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2] / "egs2" / "valle")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InputError, match="--gpu_inference: torch finds no GPU here. Leave it out"):
        check_settings(speech(gpu_inference=True))
    check_settings(speech(gpu_inference=True, cluster="../../conf/cluster/slurm.yaml"))
    check_settings(speech())
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    check_settings(speech(gpu_inference=True))


def test_a_login_to_the_hub_is_looked_for_before_the_run(speech, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2] / "egs2" / "valle")
    upload = {"skip_upload_hf": False, "hf_repo": "lab/valle"}
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(InputError, match="nobody is logged in .*Run `hf auth login`, or set HF_TOKEN"):
        check_settings(speech(**upload))
    check_settings(speech())
    check_settings(speech(stop_stage=10, **upload))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_token")
    check_settings(speech(**upload))


def languages(settings, language):
    with open(f"{settings.data}/test/utt2lang", "w", encoding="utf-8") as stream:
        stream.write(f"u1 {language}\nu2 {language}\n")


@pytest.mark.parametrize(
    ("language", "g2p", "token_type", "found"),
    [
        ("zh", G2P, "phn", "utt2lang: zh"),
        ("de", "", "char", "utt2lang: de"),
        (None, "espeak_ng_german", "phn", "--g2p espeak_ng_german"),
        (None, "pypinyin_g2p_phone", "phn", "--g2p pypinyin_g2p_phone"),
        ("en", "espeak_ng_german", "phn", None),
        ("en-US", "g2p_en", "phn", None),
        ("und", "g2p_en", "phn", None),
        (None, "g2p_en_no_space", "phn", None),
        (None, "espeak_ng_german", "char", None),  # not used
    ],
)
def test_pocketsphinx_is_not_left_to_judge_another_language(speech, language, g2p, token_type, found):
    settings = speech(g2p=g2p, token_type=token_type)
    if language:
        languages(settings, language)
    if not found:
        check_language(settings)
        return
    with pytest.raises(InputError) as caught:
        check_language(settings)
    assert f"the test set is not English ({found})" in str(caught.value)
    assert "conf/score/aishell3.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "g2p"),
    [("今天天气很好", G2P), ("hello there", "espeak_ng_russian"), ("안녕하세요", "pyopenjtalk")],
)
def test_texts_of_another_language_are_told_before_recordings_are_formatted(speech, text, g2p):
    settings = speech(g2p=g2p, skip_eval=True)
    (Path(settings.data) / ".done").touch()
    (Path(settings.data) / "test" / "text").write_text(f"u1 {text}\n")
    with pytest.raises(InputError, match=f"test/text: '{text}' is not .*--g2p {g2p}"):
        check_stage(settings, 2)
    for may in ({"token_type": "char"}, {"max_bad": "1"}, {"download_model": "m.zip"}, {"g2p": "none"}):
        check_stage(speech(**{"g2p": g2p, "skip_eval": True, **may}), 2)


def test_an_utt2lang_of_another_language_is_told_before_recordings_are_formatted(speech):
    settings = speech(skip_eval=True)
    (Path(settings.data) / ".done").touch()
    languages(settings, "de")
    with pytest.raises(InputError, match="test/utt2lang: 2 of 2 utterances are not English"):
        check_stage(settings, 2)
    check_stage(speech(skip_eval=True, g2p="espeak_ng_german"), 2)


def test_another_system_that_says_none_of_the_pairs_is_told_before_training(speech, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "u1.wav").touch()
    settings = speech(systems=f"theirs={tmp_path / 'theirs'}", g2p="none")
    (Path(settings.data) / ".done").touch()
    (Path(settings.data) / "test" / "pairs").write_text("p1 u1 u2 -\n")
    with pytest.raises(InputError, match="theirs has a sound file for none of the 1 pairs.*such as p1.wav"):
        check_stage(settings, 2)
    (tmp_path / "theirs" / "p1.wav").touch()
    check_stage(settings, 2)


def test_who_chose_a_recogniser_or_has_a_trained_one_may_speak_any_language(speech, tmp_path):
    languages(speech(), "zh")
    check_language(speech(score_config="mine.yaml"))
    (tmp_path / "data" / "mini" / "vocabulary").write_text("\u4e00\n")
    check_language(speech())


def test_a_language_without_a_judge_is_told_before_training(speech, tmp_path):
    settings = speech(score_config=str(CONF / "score" / "en_zh.yaml"), g2p="none")
    check_judges(settings)  # there is no test set yet
    (tmp_path / "data" / "mini" / "test" / "pairs").write_text("p1 u1 u2 -\n")
    languages(settings, "zho")
    check_judges(settings)
    languages(settings, "de")
    (tmp_path / "data" / "mini" / ".done").touch()
    with pytest.raises(InputError, match="utt2lang: 'u2' is 'de', for which the scoring config has no judge"):
        check_stage(settings, 2)


def test_labels_that_nothing_can_be_learnt_from_are_told_before_training(speech, tmp_path):
    settings = speech(language_recognizer=True)
    check_labels(settings)  # there is no training set yet
    train = tmp_path / "data" / "mini" / "train"
    train.mkdir()
    with pytest.raises(InputError, match="train/utt2lang: is missing, or tells no language"):
        check_labels(settings)
    (train / "utt2lang").write_text("u1 en\nu2 eng\nu3 und\n")
    with pytest.raises(InputError, match="has no language but en. Give at least two"):
        check_labels(settings)
    (train / "utt2lang").write_text("u1 en\nu2 de\n")
    check_labels(settings)
    with pytest.raises(InputError, match="train/utt2emo: is missing, or tells no emotion"):
        check_labels(speech(emotion_recognizer=True))


def test_the_language_is_looked_at_before_anything_is_made_of_the_corpus(speech, tmp_path):
    (tmp_path / "data" / "mini" / ".done").touch()
    languages(speech(), "zh")
    with pytest.raises(InputError, match="the test set is not English"):
        check_stage(speech(token_type="char"), 2)
    check_stage(speech(token_type="char", stop_stage=7), 2)
    check_stage(speech(), 1)


def test_a_codec_that_a_run_was_begun_with_is_not_replaced_unasked(speech, tmp_path):
    codec = tmp_path / "exp" / "mini" / "codec"
    codec.mkdir(parents=True)
    (codec / "codec.yaml").write_text("type: world\nmodel: codec.npz\n")
    begun = {"model_size": "base"}
    with pytest.raises(
        InputError, match="begun with world, and --model_size base means encodec.*Add --codec world"
    ):
        check_begun_codec(speech(**begun))
    for may in (
        {"codec": "world"},
        {"codec": "encodec"},
        {"stage": 5},
        {"init_model": "m.zip"},
        {"tag": "new"},
    ):
        check_begun_codec(speech(**begun, **may))
    check_begun_codec(speech())


@pytest.mark.parametrize(
    ("args", "config", "enough"),
    [
        ("--best_of 8", "", True),
        ("--top_k 3 --best_of=2", "", True),
        ("", "a: 1\nbest_of: 10\n", True),
        ("--not_best_of 3", "best_of: 1\n", False),
    ],
)
def test_a_chooser_has_something_to_choose_from(speech, tmp_path, args, config, enough):
    path = tmp_path / "decode.yaml"
    path.write_text(config)
    settings = speech(inference_args=args, inference_config=str(path))
    if enough:
        check_candidates(settings)
    else:
        with pytest.raises(InputError, match="--phone_chooser: a single candidate leaves it no choice"):
            check_candidates(settings)


@pytest.mark.parametrize(
    ("stage", "needed"), [(2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 2), (8, 7), (9, 8), (10, 5), (11, 10)]
)
def test_a_stage_names_the_one_it_needs(speech, stage, needed):
    settings = speech()
    with pytest.raises(InputError) as caught:
        check_stage(settings, stage)
    assert f"stage {stage} needs what stage {needed} writes. Run stage {needed} first" in str(caught.value)


def test_what_a_run_does_not_do_it_does_not_need(speech, tmp_path):
    (tmp_path / "data" / "mini" / "vocabulary").touch()
    dump, exp = tmp_path / "dump" / "mini", tmp_path / "exp" / "mini"

    def needed(stage, **options):
        return list(needs(speech(**options), stage))

    assert needed(7, download_model="a.zip") == [(f"{dump}/raw/test/.done", 2)]
    assert (f"{dump}/raw/train/.done", 2) in needed(7, phone_chooser=True)
    assert (f"{dump}/raw/train/.done", 2) in needed(8)
    assert (f"{exp}/vits/.done", 6) in needed(7, baseline="vits")
    assert (f"{exp}/vits/decode/.done", 7) in needed(9, baseline="vits")
    assert (f"{dump}/raw/test/.done", 2) in needed(6, baseline="vits")
    assert needed(1) == []


@pytest.mark.parametrize(("speakers", "enough"), [(2, False), (3, True)])
def test_a_detector_needs_speakers_to_be_tested_on(speech, tmp_path, speakers, enough):
    lines = "".join(f"s{number} u{number}\n" for number in range(speakers))
    (tmp_path / "data" / "mini" / "test" / "spk2utt").write_text(lines)
    check_detector(speech())
    if enough:
        check_detector(speech(detector=True))
        return
    with pytest.raises(InputError, match="--detector: the test set .* has 2 speakers, too few"):
        check_detector(speech(detector=True))


def test_a_list_of_pairs_that_there_is_not_is_named(speech, tmp_path):
    folder = tmp_path / "dump" / "mini" / "raw" / "test"
    folder.mkdir(parents=True)
    (folder / ".done").touch()
    settings = speech(download_model="a.zip", pairs="pairs_x", stop_stage=7)
    with pytest.raises(InputError, match="--pairs: .*raw/test has no list 'pairs_x'"):
        check_stage(settings, 7)
    (folder / "pairs_x").touch()
    check_stage(settings, 7)


def test_the_rate_of_the_codec_is_its_own_and_not_that_of_its_training(speech, tmp_path):
    codec = tmp_path / "exp" / "mini" / "codec"
    codec.mkdir(parents=True)
    (codec / "codec.yaml").write_text("train:\n  sample_rate: 16000\nsample_rate: 24000\n")
    check_codec(speech())
    with pytest.raises(InputError, match="the codec works at 24000 Hz. Run stages 2 to 4 with --fs 24000"):
        check_codec(speech(fs=16000))
