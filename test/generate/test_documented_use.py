"""What README and docs/ show of a trained model, run on a tiny one that lies where they say."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
from pages import blocks, shell_commands

from espnet2_valle import __main__
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.zoo.pack import pack

from .conftest import RATE, buzz

MODEL = Path("egs2/valle/exp/mini/model.zip")
LANGUAGES, EMOTIONS = "languages", "emotions"
PYTHON = [block for block in blocks("python") if block.page in ("README.md", "docs/api.md")]
SAYING = [one for one in shell_commands() if one.words[:2] in (("valle", "say"), ("valle", "stream"))]
SAYING += [one for one in shell_commands() if one.words[:2] == ("valle", "longform")]


@pytest.fixture(scope="module")
def folder(files, told, styled, tmp_path_factory):
    """A folder that holds what the pages name: models, a voice, its prepared prompt, a text.

    LANGUAGES in it holds what they name of a model of several languages, EMOTIONS of one of emotions.
    """
    root = tmp_path_factory.mktemp("use")
    for output in (MODEL, Path("model.zip")):
        pack_files(files, root / output)
    pack_files(told, root / LANGUAGES / "model.zip")
    soundfile.write(root / LANGUAGES / "english.wav", buzz(110, 1.0), RATE)
    pack_files(styled, root / EMOTIONS / "model.zip")
    soundfile.write(root / EMOTIONS / "voice.wav", buzz(110, 1.0), RATE)
    soundfile.write(root / "voice.wav", buzz(110, 1.0), RATE)
    prompt = PreparedPrompt.encode(buzz(110, 1.0), "b c", Text2Speech.from_files(**files).codec)
    prompt.save(root / "voice.npz")
    prompt.save(root / EMOTIONS / "voice.npz")
    (root / "chapter.txt").write_text("A b c. B a.\n")
    return root


def pack_files(files, output):
    """Pack the model of `files`, see `Text2Speech.from_files`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    is_yaml = {name: path for name, path in files.items() if path.endswith(".yaml")}
    weights = {name: path for name, path in files.items() if name not in is_yaml}
    pack(files=weights, yaml_files=is_yaml, extra=[], output=output)


def test_the_python_of_the_pages_runs_in_order(folder, monkeypatch):
    monkeypatch.chdir(folder)
    played = []
    for page in sorted({block.page for block in PYTHON}):
        names = {"play": played.append}
        for block in PYTHON:
            if block.page == page:
                exec(compile(block.text, f"{page}:{block.line}", "exec"), names)
        assert soundfile.info(folder / "out.wav").frames > 0
    assert played


@pytest.mark.parametrize("command", SAYING, ids=lambda one: f"{one.where} {one.words[1]}")
def test_what_a_page_says_aloud_is_heard(command, folder, monkeypatch, capfdbinary):
    if command.words[1] == "longform":
        pytest.importorskip("sentencex")
    words = list(command.words)
    kinds = {"--lang": LANGUAGES, "--emotion": EMOTIONS}
    here = next((folder / kinds[word] for word in words if word in kinds), folder)
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a b c")))
    __main__.main()
    output = words[words.index("-o" if "-o" in words else "--output_wav") + 1]
    heard = len(capfdbinary.readouterr().out) if output == "-" else soundfile.info(here / output).frames
    assert heard > 0
