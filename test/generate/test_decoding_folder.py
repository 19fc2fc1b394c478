import os

import numpy as np
import pytest

from espnet2_valle.common.audio import write_audio
from espnet2_valle.generate.decode_pairs import Job
from espnet2_valle.generate.decoding_folder import DecodingFolder, wav_path

WRITTEN = 1_700_000_000_123_456_789  # when, in ns
OPTIONS = {
    "dtype": "float32",
    "recognizer": None,
    "streaming": False,
    "temperature": 0.9,
    "ar_model_file": "model.pth",
}
STAMP = (
    '{"options": {"ar_model_file": "model.pth", "temperature": 0.9, "streaming": false, "recognizer": null, '
    '"dtype": "float32"}, "modified": {"model.pth": 1700000000.1234567}}'
)
JOURNAL = '{"p1": ["ok", 1, "d1"]}\n{"\\u00e9": ["no_speech", 3, "d2"]}\n'


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """A folder as an earlier version left it, and the model that it was made with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pth").write_text("weights")
    os.utime("model.pth", ns=(WRITTEN, WRITTEN))
    folder = tmp_path / "decode"
    write_audio(wav_path(folder, "p1"), np.zeros(9, dtype=np.float32), 8000)
    (folder / "options.json").write_text(STAMP)
    (folder / "journal.jsonl").write_text(JOURNAL)
    return folder


def test_what_an_earlier_version_decoded_is_done(earlier):
    folder = DecodingFolder(earlier, OPTIONS, {"p1": "d1", "é": "d2", "p3": "d3"})
    assert folder.done == {"p1": ("ok", 1), "é": ("no_speech", 3)}
    assert wav_path(earlier, "p1").is_file()
    folder.record([{"p3": ("stuck", 2)}])
    assert (earlier / "journal.jsonl").read_text() == JOURNAL + '{"p3": ["stuck", 2, "d3"]}\n'


@pytest.mark.parametrize("change", ["option", "model", "damage"])
def test_what_was_decoded_otherwise_is_removed(earlier, change):
    options = {**OPTIONS, "temperature": 1.0} if change == "option" else OPTIONS
    if change == "model":
        os.utime("model.pth", ns=(WRITTEN, WRITTEN + 10**9))
    if change == "damage":
        (earlier / "options.json").write_text(STAMP[:50])
    assert DecodingFolder(earlier, options, {"p1": "d1"}).done == {}
    assert not wav_path(earlier, "p1").exists()


def test_a_pair_is_known_as_in_earlier_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_text("sound of a")
    os.utime("a.wav", ns=(WRITTEN, WRITTEN))
    job = Job("p1", "a.wav", "what a", "what to", True)
    assert job.digest() == "613449bdde1ed95e777bf70340889681"
