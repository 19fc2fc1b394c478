"""local/data.sh: which command prepares a corpus."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "egs2" / "valle" / "local" / "data.sh"


def data(*words):
    """What the script would start, and how it ends."""
    return subprocess.run([SCRIPT, *words], env={"PYTHON": "echo"}, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("corpus", "command"),
    [
        ("mini", "prepare_mini"),
        ("mini_x", "prepare_mini_x"),
        ("mini_emo", "prepare_mini_emo"),
        ("folder", "prepare_folder"),
        ("vctk", "prepare_corpus --corpus vctk"),
    ],
)
def test_every_corpus_has_its_command(corpus, command):
    started = data("--corpus", corpus, "--output_dir", "data/a b", "--nj", "2")
    assert started.stdout == f"-m espnet2_valle.bin.{command} --output_dir data/a b --nj 2\n"


@pytest.mark.parametrize("words", [[], ["--corpus"], ["--db", "here"]])
def test_without_a_corpus_it_says_so(words):
    refused = data(*words)
    assert refused.returncode == 2
    assert "begin with --corpus NAME" in refused.stderr
