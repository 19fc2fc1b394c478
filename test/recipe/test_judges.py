"""What valle.sh says of the judges of stage 8 before it trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

VALLE = Path(__file__).resolve().parents[2] / "egs2" / "valle"


def call(command, *words, **variables):
    """Call a function of utils/judges.sh in the recipe's folder; return exit status and what it printed."""
    done = subprocess.run(
        [
            "bash",
            "-euo",
            "pipefail",
            "-c",
            f'. utils/steps.sh; . utils/judges.sh; {command} "$@"',
            "-",
            *words,
        ],
        cwd=VALLE,
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(VALLE.parents[1]), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def speech(tmp_path):
    """Folder of a run's data, and the variables of valle.sh for it."""
    (tmp_path / "test").mkdir()
    variables = {"data": str(tmp_path), "test_sets": "test", "token_type": "phn"}
    return tmp_path, {**variables, "g2p": "espeak_ng_english_us_vits"}


def languages(data, language):
    (data / "test" / "utt2lang").write_text(f"u1 {language}\nu2 {language}\n")


@pytest.mark.parametrize(
    ("language", "g2p", "token_type", "found"),
    [
        ("zh", "espeak_ng_english_us_vits", "phn", "utt2lang: zh"),
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
    data, variables = speech
    if language:
        languages(data, language)
    status, printed = call("check_language", "", **{**variables, "g2p": g2p, "token_type": token_type})
    assert status == (1 if found else 0), printed
    assert (f"the test set is not English ({found})" in printed) == bool(found)
    assert ("conf/score/aishell3.yaml" in printed) == bool(found)


def test_who_chose_a_judge_or_has_a_trained_one_may_speak_any_language(speech):
    data, variables = speech
    languages(data, "zh")
    assert call("check_language", "mine.yaml", **variables) == (0, "")
    (data / "vocabulary").write_text("\u4e00\n")
    assert call("check_language", "", **variables) == (0, "")


def test_scorers_that_cannot_be_had_are_named(tmp_path):
    config = tmp_path / "score.yaml"
    config.write_text("judge: {name: espnet, model: .}\n")
    status, printed = call("load_scorers", str(config))
    assert status == 1
    assert "error: config.yaml: no such file of the recogniser" in printed
    config.write_text("judge: none\n")
    assert call("load_scorers", str(config))[0] == 0
