"""The time to the first sound, without an installation."""

import argparse
import venv
from pathlib import Path

import pytest

from espnet2_valle.bench import first_sound
from espnet2_valle.common.errors import InputError


def given(folder):
    return argparse.Namespace(
        requirement=".[espeak]",
        model_tag=str(folder / "model.zip"),
        prompt_speech=str(folder / "voice.wav"),
        prompt_text="stop",
        text="go",
    )


def test_the_steps_are_added(tmp_path, monkeypatch):
    seconds, commands = iter([2.0, 100.0, 7.0, 3.0]), []

    def run(command, folder):
        commands.append(command)
        if "-c" in command:
            Path(command[-1]).touch()
        return next(seconds)

    monkeypatch.setattr(first_sound, "run_timed", run)
    monkeypatch.setattr(venv, "create", lambda folder, with_pip: None)
    found = {one.metric: one.value for one in first_sound.measure(given(tmp_path))}
    assert found == {
        "first_sound.install": 102.0,
        "first_sound.first_sound": 7.0,
        "first_sound.second_sound": 3.0,
        "first_sound.total": 109.0,
    }
    assert commands[1][-1] == ".[espeak]"
    assert commands[2] == commands[3]


def test_silence_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(first_sound, "run_timed", lambda command, folder: 1.0)
    monkeypatch.setattr(venv, "create", lambda folder, with_pip: None)
    with pytest.raises(InputError, match=r"model\.zip: made no sound"):
        first_sound.measure(given(tmp_path))


def test_a_step_that_fails_is_named(tmp_path):
    with pytest.raises(InputError, match="false: ended with status 1"):
        first_sound.run_timed(["false"], str(tmp_path))
    assert first_sound.run_timed(["true"], str(tmp_path)) > 0
