import pytest
from sound_names import NFC, NFD, touch

from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.lists import read_list, read_outputs


@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".flac", ".aiff", ".w64", ".mp3", ".au"])
def test_outputs_are_found_in_any_format(tmp_path, suffix):
    path = touch(tmp_path / "deep" / f"u1{suffix}")
    assert read_outputs(tmp_path) == {"u1": str(path)}


@pytest.mark.parametrize("on_disk", [NFC, NFD])
def test_outputs_are_found_by_ids_in_either_unicode_form(tmp_path, on_disk):
    path = touch(tmp_path / f"{on_disk}.wav")
    found = read_outputs(tmp_path)
    assert found[NFC] == found[NFD] == str(path)


def test_outputs_behind_links_are_found_and_hidden_files_are_not(tmp_path):
    touch(tmp_path / "there" / "u1.wav")
    touch(tmp_path / "db" / "._u1.wav")
    (tmp_path / "db" / "more").symlink_to("../there")
    assert read_outputs(tmp_path / "db") == {"u1": str(tmp_path / "db" / "more" / "u1.wav")}


def test_outputs_that_libsndfile_does_not_read_are_named(tmp_path):
    touch(tmp_path / "u1.m4a")
    with pytest.raises(InputError, match=r"has 1 sound files, of formats .*u1.m4a. Convert them: find -L"):
        read_outputs(tmp_path)


@pytest.mark.parametrize(
    ("on_disk", "given"),
    [(f"{NFD}.wav", f"{NFC}.wav"), ("a.WAV", "a.wav"), ("a.flac", "a.wav"), ("a.wav", "./a.wav")]
    + [("a.wav", ".\\a.wav"), ("a.aiff", "a.aiff")],
)
def test_prompts_of_a_list_are_found_as_people_keep_them(tmp_path, on_disk, given):
    path = touch(tmp_path / "prompts" / on_disk)
    lines = f"\ufeffu1.WAV|hello|prompts/{given}|there\r\n"
    (tmp_path / "list").write_text(lines, encoding="utf-8", newline="")
    (trial,) = read_list(tmp_path / "list")
    assert (trial.pair_id, trial.prompt) == ("u1", str(path))


def test_a_prompt_of_a_list_that_libsndfile_does_not_read_is_named(tmp_path):
    touch(tmp_path / "a.m4a")
    (tmp_path / "list").write_text("u1|hello|a.m4a|there\n")
    with pytest.raises(InputError, match=r"libsndfile does not read .m4a files. Convert it .* ffmpeg -i"):
        read_list(tmp_path / "list")
