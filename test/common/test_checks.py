"""Options that are looked at before the work, by their names."""

import argparse
import errno
import os
import tempfile

import pytest

from espnet2_valle.common import checks
from espnet2_valle.common.checks import check_options, check_output_file, check_output_folder
from espnet2_valle.common.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "file").write_text("a")
    (tmp_path / "taken.wav").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "link").symlink_to(tmp_path / "taken.wav")
    return tmp_path


def said(**options):
    """What is said of options; "" where they may be."""
    try:
        check_options(argparse.Namespace(**options))
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", ["new", "new/deep/er", "taken.wav", "taken.wav/", "link", "link/new", "."])
def test_a_folder_that_can_be_written_is_taken_and_not_made(folder, monkeypatch, path):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    for given in (path, str(folder / path)):
        assert said(output_dir=given) == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("file", "is no folder"),
        ("file/under", "Not a directory"),
        ("file/under/it", "Not a directory"),
        ("nowhere", "is no folder"),
        ("nowhere/under", "cannot be written"),
        ("round/under", "cannot be written"),
        ("x" * 300, "File name too long"),
        ("/proc/new", "cannot be written"),
        ("/proc/self/fd/new/er", "cannot be written"),
        ("/dev/null", "is no folder"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused(folder, path, why):
    assert f"--output_dir: {folder / path}" in (message := said(output_dir=str(folder / path)))
    assert why in message


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("taken.wav", "is a folder"),
        ("new/", "is a folder"),
        ("link", "is a folder"),
        ("file/a.wav", "Not a directory"),
        ("round", "Too many levels of symbolic links"),
        ("y" * 300 + ".wav", "File name too long"),
        ("/proc/a.wav", "cannot be written"),
        ("/dev/null", "is a device"),
        ("", "is a folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(folder, monkeypatch, path, why):
    monkeypatch.chdir(folder)
    assert said(output=path).startswith("--output: ")
    assert why in said(output=path)


@pytest.mark.parametrize("path", ["a.wav", "new/a.wav", "file", "-", "nowhere"])
def test_a_file_that_can_be_written_is_taken_and_not_made(folder, monkeypatch, path):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert said(output=path) == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
@pytest.mark.parametrize("check", [check_output_file, check_output_folder])
def test_a_folder_without_the_right_to_write_is_told(folder, monkeypatch, number, check):
    """As it is for all but root."""

    def refuse(dir):
        raise OSError(number, os.strerror(number), dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=f"cannot be written .*{os.strerror(number)}"):
        check(str(folder / "new"), "--output_dir")


def test_a_full_disk_is_no_fault_of_the_path(folder, monkeypatch):
    def refuse(dir):
        raise OSError(errno.ENOSPC, "full", dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match="full"):
        check_output_folder(str(folder), "--output_dir")


def test_a_file_without_the_right_to_it_is_told(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "write-protected" in said(output=str(folder / "file"))
    assert "file: cannot be read (Permission denied)" in said(pairs=str(folder / "file"))


def test_what_is_read_has_to_be_there_and_of_its_kind(folder):
    assert "gone: no such list of pairs. Run stage 1" in said(pairs=str(folder / "gone"))
    assert "taken.wav: is a folder. Give --wav_scp a file" in said(wav_scp=str(folder / "taken.wav"))
    assert "file: is no folder. Give --data_dir a folder" in said(data_dir=str(folder / "file"))
    assert "nowhere: no such file. Correct --words" in said(words=str(folder / "nowhere"))
    assert "gone.zip: no such packed model" in said(model_tag="gone.zip")
    assert "file: is no zip" in said(model_tag=str(folder / "file"))
    assert said(model_tag="somebody/a_model", pairs=None, config="conf/decode.yaml") == ""
    assert "gone.yaml: cannot be read (No such file or directory). Correct --config" in said(
        config="gone.yaml"
    )
    assert "b: cannot be read" in said(config=[str(folder / "file"), "b"])


@pytest.mark.parametrize("text", ["", " ", "\n\t", "...", "?!", "—", "\u200b", "🙂", "、。", "( )"])
def test_a_text_without_words_is_refused(text):
    assert "has nothing that can be said" in said(text=text)


@pytest.mark.parametrize("text", ["a", "7", "你好", "да.", "नमस्ते", "مرحبا", "...ok", "한국어", "é", "x?"])
def test_a_text_in_any_script_is_taken(text):
    assert said(text=text, prompt_text=text) == ""


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", "cpu:x", "CPU"])
def test_a_device_that_is_not_here_is_refused(device):
    pytest.importorskip("torch")
    assert said(device=device).startswith("--device: ")
    assert said(device="cpu") == ""


@pytest.mark.parametrize("value", [0, -1])
def test_numbers_out_of_range_are_refused(value):
    assert said(batch_size=value) == f"--batch_size: {value} is out of range. Give 1 or more"
    assert said(seconds=float(value)) == f"--seconds: {float(value)} is not positive. Give more than 0"
    assert said(seconds=float("nan")).startswith("--seconds: nan is not positive")
    assert said(batch_size=1, seconds=[0.5, 2], count=7) == ""


def test_a_command_may_mean_something_else_by_a_name(folder):
    args = argparse.Namespace(test_dir=str(folder / "file"))
    check_options(args)
    with pytest.raises(InputError, match="--test_dir: .*file is no folder"):
        check_options(args, test_dir=checks.check_output_folder)


@pytest.mark.parametrize("name", ["new.mp3", "new"])
def test_a_sound_file_is_written_in_a_format_that_is_known(folder, monkeypatch, name):
    monkeypatch.chdir(folder)
    assert "new" in said(output_wav=name)
    assert said(output_wav="new.wav") == ""
