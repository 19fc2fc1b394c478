import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.sound_formats import (
    conversion,
    conversion_below,
    is_other_sound,
    is_readable,
    readable_suffixes,
)

WAV = (0.3 * np.sin(np.arange(16000) / 9)).astype(np.float32)
FORMATS = sorted(soundfile.available_formats().keys() - {"RAW"})


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_of_libsndfile_is_read_by_the_suffix_of_its_name(tmp_path, name):
    path = tmp_path / f"a.{name.lower()}"
    rate = 8000 if name == "WVE" else 16000
    soundfile.write(path, WAV, rate, format=name, subtype=soundfile.default_subtype(name))
    assert is_readable(path)
    assert is_readable(path.with_suffix(path.suffix.upper()))
    assert np.abs(read_audio(path)[0][:16000]).max() == pytest.approx(0.3, abs=0.05)


def test_usual_suffixes_are_among_them():
    wanted = {
        ".wav",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".aif",
        ".aiff",
        ".au",
        ".w64",
        ".sph",
        ".caf",
    }
    assert wanted <= readable_suffixes()
    assert not {".raw", ".mat", ".m4a", ".txt", ""} & readable_suffixes()


@pytest.mark.parametrize("suffix", [".m4a", ".WMA", ".webm", ".mp4", ".aac", ".amr", ".raw"])
def test_what_libsndfile_does_not_read_is_named_with_its_remedy(tmp_path, suffix):
    path = tmp_path / f"my voice{suffix}"
    path.write_bytes(b"\0\0\0\x1cftypM4A ")
    assert is_other_sound(path)
    with pytest.raises(InputError, match=rf"libsndfile does not read {suffix} files. Convert it") as caught:
        read_audio(path)
    assert f"-i '{path}' '{path.with_suffix('.wav')}'" in caught.value.remedy


def test_a_sound_that_is_readable_in_spite_of_its_name_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", WAV, 16000)
    shutil.move(tmp_path / "a.wav", tmp_path / "a.mp4")
    assert len(read_audio(tmp_path / "a.mp4")[0]) == 16000


def fake_ffmpeg(folder):
    """Copies the file behind -i to the last argument."""
    folder.mkdir()
    script = folder / "ffmpeg"
    script.write_text('#!/bin/sh\nwhile [ "$1" != -i ]; do shift; done\ncp "$2" "$3"\n')
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_remedies_are_command_lines_that_work(tmp_path):
    environment = fake_ffmpeg(tmp_path / "bin")
    db = tmp_path / "it's mine"
    for name in ("one.m4a", "deep/two.WMA", "deep/three.txt"):
        (db / name).parent.mkdir(parents=True, exist_ok=True)
        (db / name).write_text(name)
    subprocess.run(conversion(db / "one.m4a").split(": ", 1)[1], shell=True, check=True, env=environment)
    assert (db / "one.wav").read_text() == "one.m4a"
    (db / "one.wav").unlink()
    subprocess.run(conversion_below(db, [".wma", ".m4a"]), shell=True, check=True, env=environment)
    assert sorted(path.relative_to(db) for path in db.rglob("*.wav")) == [
        Path("deep/two.wav"),
        Path("one.wav"),
    ]


def test_a_pointer_of_git_lfs_is_called_so(tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(
        InputError, match="pointer of Git LFS, not the sound itself. Fetch it with git lfs pull"
    ):
        read_audio(path)


def test_a_folder_in_place_of_a_sound_file_is_called_so(tmp_path):
    with pytest.raises(InputError, match="is a folder, not a sound file"):
        read_audio(tmp_path)
