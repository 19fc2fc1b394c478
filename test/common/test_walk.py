import logging
import os

import pytest
from sound_names import NFC, NFD, touch

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.walk import DANGLING, FORBIDDEN, HIDDEN, LISTED, UNWRITABLE, existing, walk


def listed(folder):
    return [file.relative_to(folder).as_posix() for file in walk(folder).files]


def test_links_to_folders_and_files_are_followed(tmp_path):
    db = tmp_path / "db"
    touch(db / "ann" / "1.wav")
    touch(tmp_path / "elsewhere" / "deep" / "2.wav")
    touch(tmp_path / "3.wav")
    (db / "bob").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (db / "ann" / "3.wav").symlink_to("../../3.wav")
    assert listed(db) == ["ann/1.wav", "ann/3.wav", "bob/deep/2.wav"]


def test_a_folder_that_is_a_link_itself_is_listed(tmp_path):
    touch(tmp_path / "there" / "1.wav")
    (tmp_path / "db").symlink_to("there")
    assert listed(tmp_path / "db") == ["1.wav"]


def test_loops_end_and_a_folder_is_listed_once(tmp_path):
    db = tmp_path / "db"
    touch(db / "b" / "1.wav")
    (db / "b" / "up").symlink_to(db)
    (db / "a").symlink_to("b")  # comes first in the order of names, the folder itself is taken nevertheless
    (db / "self").symlink_to("self")
    found = walk(db)
    assert found.files == [db / "b" / "1.wav"]
    assert found.left_out == {LISTED: [db / "a", db / "b" / "up"], DANGLING: [db / "self"]}


def test_what_is_left_out_is_told_with_counts(tmp_path, caplog):
    for name in ("1.wav", "._1.wav", ".hidden.wav", ".DS_Store"):
        touch(tmp_path / name)
    (tmp_path / "2.wav").symlink_to("annex")
    found = walk(tmp_path)
    assert found.files == [tmp_path / "1.wav"]
    assert len(found.left_out[HIDDEN]) == 3
    with caplog.at_level(logging.WARNING):
        found.warn(lambda path: path.suffix == ".wav")
    assert "left out 2 hidden files" in caplog.text
    assert f"left out 1 links to what is not there; the first: {tmp_path / '2.wav'}" in caplog.text
    assert "DS_Store" not in caplog.text


def test_names_that_no_list_can_hold_are_left_out(tmp_path):
    touch(tmp_path / "a\nb.wav")
    touch(tmp_path / "1.wav")
    open(os.fsencode(tmp_path) + b"/caf\xe9.wav", "wb").close()
    found = walk(tmp_path)
    assert found.files == [tmp_path / "1.wav"]
    assert len(found.left_out[UNWRITABLE]) == 2
    os.mkdir(os.fsencode(tmp_path) + b"/\xe9")
    with pytest.raises(InputError, match=r"\\udce9: is not UTF-8 text of one line. Rename"):
        walk(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read_is_told(tmp_path):
    touch(tmp_path / "a" / "1.wav")
    (tmp_path / "a").chmod(0)
    found = walk(tmp_path)
    (tmp_path / "a").chmod(0o755)
    assert found.left_out == {FORBIDDEN: [tmp_path / "a"]}


@pytest.mark.parametrize(("on_disk", "given"), [(NFD, NFC), (NFC, NFD), (NFC, NFC)])
def test_a_path_is_found_in_either_unicode_form(tmp_path, on_disk, given):
    path = touch(tmp_path / on_disk / f"{on_disk}.wav")
    assert existing(tmp_path / given / f"{given}.wav") == path


def test_a_path_is_found_with_another_case_of_suffix_or_separator(tmp_path, monkeypatch):
    path = touch(tmp_path / "wavs" / "A.WAV")
    assert existing(tmp_path / "wavs" / "A.wav") == path
    monkeypatch.chdir(tmp_path)
    assert existing("wavs\\A.wav").resolve() == path
    assert existing(tmp_path / "wavs" / "B.wav") == tmp_path / "wavs" / "B.wav"
    assert existing("x" * 300 + "/" + "y" * 300).name == "y" * 300
    touch(tmp_path / "wavs" / "B.Wav")  # a folder that has changed is looked into again
    assert existing(tmp_path / "wavs" / "B.wav").name == "B.Wav"
