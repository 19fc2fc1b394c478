import errno
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from espnet2_valle.common import audio
from espnet2_valle.common.cli import run_command


@pytest.mark.parametrize(("free", "number"), [(0, errno.ENOSPC), (10**9, errno.EIO)])
def test_a_full_disk_is_told_from_other_failures_and_leaves_nothing(tmp_path, monkeypatch, free, number):
    def fail(*args, **kwargs):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile.SoundFile, "write", fail)
    monkeypatch.setattr(audio.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(OSError, match="a.flac") as caught:
        audio.write_audio(tmp_path / "a.flac", np.zeros(100, dtype=np.float32), 8000)
    assert caught.value.errno == number
    assert not list(tmp_path.iterdir())


def test_a_command_says_that_the_disk_is_full(tmp_path):
    def command(argv):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a.flac"))

    with pytest.raises(SystemExit, match=r"error: .*a.flac: no space left on device. Free some"):
        run_command(command, [])
