import errno
import pickle

import numpy as np
import pytest
import soundfile

from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError, WorkError, work_errors
from espnet2_valle.common.fileio import atomic_open, atomic_path, remove_unfinished


@pytest.mark.parametrize("kind", [InputError, WorkError])
def test_an_input_error_survives_the_way_from_a_worker(kind):
    error = pickle.loads(pickle.dumps(kind("a.wav", "is empty", "Remove it")))
    assert type(error) is kind
    assert str(error) == "a.wav: is empty. Remove it"
    assert (error.where, error.problem, error.remedy) == ("a.wav", "is empty", "Remove it")


def test_what_a_worker_lacks_is_no_fault_of_an_item():
    with pytest.raises(WorkError, match="codec.yaml: is gone. Bring it") as caught, work_errors():
        raise InputError("codec.yaml", "is gone", "Bring it")
    assert caught.value.remedy == "Bring it"


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "deep" / "list.txt"
    with atomic_open(path) as stream:
        stream.write("old")

    def break_off():
        with atomic_open(path) as stream:
            stream.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["list.txt"]


def test_who_writes_a_file_alone_removes_what_killed_writers_left_of_it(tmp_path):
    left, others = tmp_path / ".unfinished.model[1].abc.zip", tmp_path / ".unfinished.model.abc.zip"
    for path in (left, others):
        path.write_text("half")
    for alone, remaining in ((False, {left, others}), (True, {others})):
        with atomic_path(tmp_path / "model[1].zip", alone) as temporary:
            temporary.write_text("whole")
        assert set(tmp_path.glob(".*")) == remaining


def test_what_a_killed_writer_leaves_is_removed(tmp_path):
    (tmp_path / "kept.txt").write_text("whole")
    with atomic_path(tmp_path / "x.txt") as killed:
        left = tmp_path / f"{killed.stem}.left.txt"
        left.write_text("half")
    remove_unfinished(tmp_path, tmp_path / "no_such_folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.txt", "x.txt"]


def test_the_temporary_name_keeps_the_suffix(tmp_path):
    with atomic_path(tmp_path / "x.npz") as temporary:
        assert temporary.suffix == ".npz"


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, capsys):
    def command(argv):
        with atomic_open(tmp_path / "out") as stream:
            stream.write("some")
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "out"))

    with pytest.raises(SystemExit) as stop:
        run_command(command, [])
    assert "no space left" in str(stop.value.code)
    assert not list(tmp_path.iterdir())


def test_other_system_errors_are_not_hidden():
    def command(argv):
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        run_command(command, [])


def test_input_errors_end_a_command_with_one_line():
    def command(argv):
        raise InputError("--x", "is 3", "Give 4")

    with pytest.raises(SystemExit) as stop:
        run_command(command, [])
    assert stop.value.code == "error: --x: is 3. Give 4"


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_sound_files_come_back(tmp_path, suffix):
    wav = np.linspace(-0.9, 0.9, 1000).astype(np.float32)
    write_audio(tmp_path / f"a.{suffix}", wav, 8000)
    back, rate = read_audio(tmp_path / f"a.{suffix}")
    assert rate == 8000
    np.testing.assert_allclose(back, wav, atol=2**-14)


def test_channels_are_averaged_and_rates_changed(tmp_path):
    stereo = np.stack([np.full(8000, 0.2), np.full(8000, 0.4)], axis=1)
    soundfile.write(tmp_path / "s.wav", stereo, 8000)
    wav, rate = read_audio(tmp_path / "s.wav", 16000)
    assert (len(wav), rate) == (16000, 16000)
    assert wav[8000] == pytest.approx(0.3, abs=1e-3)


def test_bad_sound_files_are_named(tmp_path):
    with pytest.raises(InputError, match="none.wav: no such audio file"):
        read_audio(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("text")
    with pytest.raises(InputError, match="text.wav: not a readable sound file"):
        read_audio(tmp_path / "text.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(InputError, match="empty.wav: the sound file has no samples"):
        read_audio(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(InputError, match="nan.wav: the sound file has NaN"):
        read_audio(tmp_path / "nan.wav")
