"""Stage 1 of the named corpora as a command, on small folders in their real layouts."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
import soundfile
from archive_server import serve
from corpus_layouts import LAYOUTS, sound, write

from espnet2_valle.bin import prepare_corpus
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.named import ljspeech
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import read_pairs

OPTIONS = {
    "libritts": ["--parts", "train-clean-100,dev-clean,test-clean"],
    "libritts_r": ["--parts", "train-clean-100,dev-clean,test-clean"],
    "librispeech": ["--parts", "train-clean-100,dev-clean,test-clean"],
}
TEST_ONLY = ("librispeech_test",)


def prepare(tmp_path, name, *options):
    words = ["--corpus", name, "--db", str(tmp_path / "db"), "--output_dir", str(tmp_path / "data")]
    prepare_corpus.main([*words, *OPTIONS.get(name, []), *options])


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "librilight"])
def test_a_corpus_becomes_data_directories_and_pairs(tmp_path, name):
    LAYOUTS[name](tmp_path / "db")
    prepare(tmp_path, name)
    expected = ["test"] if name in TEST_ONLY else ["test", "train", "valid"]
    assert sorted(path.name for path in (tmp_path / "data").iterdir() if path.is_dir()) == expected
    ids, texts = set(), 0
    for set_name in expected:
        data = DataDir.load(tmp_path / "data" / set_name)
        assert all(Path(wav).is_file() for wav in data.wavs.values())
        assert all(utt.startswith(speaker) for utt, speaker in data.speakers.items())
        assert set(data.languages.values()) == {"zh" if name == "aishell3" else "en"}
        assert bool(data.emotions) == (name in ("emovdb", "esd"))
        assert bool(data.spans) == (name == "libriheavy")
        ids |= data.wavs.keys()
        texts += len(data.wavs)
    assert len(ids) == texts  # none is in two sets
    test = DataDir.load(tmp_path / "data" / "test")
    pairs = read_pairs(tmp_path / "data" / "test" / "pairs")
    for pair in pairs:
        assert pair.prompt_utt != pair.target_utt
        assert test.speakers[pair.prompt_utt] == test.speakers[pair.target_utt]
    assert (tmp_path / "data" / "test" / "pairs_continuation").is_file() == name.startswith("librispeech")
    assert (tmp_path / "data" / "set_aside").read_text() == ""


def test_a_number_says_what_is_taken(tmp_path):
    LAYOUTS["speechocean762"](tmp_path / "db")
    prepare(tmp_path, "speechocean762", "--corpus_conf", "min_accuracy=0", "--corpus_conf", "min_test_age=0")
    assert len(DataDir.load(tmp_path / "data" / "test").wavs) == 12
    prepare(tmp_path, "speechocean762")
    assert len(DataDir.load(tmp_path / "data" / "test").wavs) == 6
    with pytest.raises(SystemExit):
        prepare(tmp_path, "speechocean762", "--corpus_conf", "min_accuracy=good")


def test_the_same_command_gives_the_same_files(tmp_path):
    LAYOUTS["vctk"](tmp_path / "db")
    prepare(tmp_path, "vctk")
    first = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    prepare(tmp_path, "vctk")
    assert first == {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}


def test_few_bad_entries_are_left_out_and_written_down_and_many_end_the_run(tmp_path):
    root = LAYOUTS["ljspeech"](tmp_path / "db")
    (root / "wavs" / "LJ001-0003.wav").unlink()
    with pytest.raises(InputError, match=r"'LJ001-0003' has a transcript and no sound file \(1 of 20"):
        prepare(tmp_path, "ljspeech")
    assert not (tmp_path / "data").exists()
    prepare(tmp_path, "ljspeech", "--max_bad", "0.1")
    assert "LJ001-0003" not in DataDir.load(tmp_path / "data" / "train").wavs
    assert (tmp_path / "data" / "set_aside").read_text().startswith("LJ001-0003 ")


def test_a_copy_that_is_not_whole_is_told(tmp_path, caplog):
    LAYOUTS["librispeech_test"](tmp_path / "db")
    prepare(tmp_path, "librispeech_test")
    assert "8 utterances of the 2620 of test-clean: this copy is not whole" in caplog.text


def test_a_part_of_a_corpus_that_leaves_no_test_set_is_told(tmp_path):
    LAYOUTS["vctk"](tmp_path / "db")
    for folder in ("wav48_silence_trimmed", "txt"):
        (tmp_path / "db" / "VCTK-Corpus-0.92" / folder / "p225").rename(tmp_path / folder)
    with pytest.raises(InputError, match="VCTK: no utterance is left for the test set"):
        prepare(tmp_path, "vctk")


def test_too_few_speakers_of_librilight_are_told(tmp_path):
    LAYOUTS["librilight"](tmp_path / "db")
    with pytest.raises(InputError, match="Libri-Light: no utterance is left for the (valid|test) set"):
        prepare(tmp_path, "librilight")


def test_another_corpus_may_give_the_test_set(tmp_path):
    LAYOUTS["libritts"](tmp_path / "db")
    LAYOUTS["librispeech"](tmp_path / "test_db")
    prepare(
        *(tmp_path, "libritts", "--test_corpus", "librispeech_test"),
        *("--test_db", str(tmp_path / "test_db")),
    )
    test = DataDir.load(tmp_path / "data" / "test")
    assert all(wav.endswith(".flac") for wav in test.wavs.values())
    assert (tmp_path / "data" / "test" / "pairs_continuation").is_file()
    with pytest.raises(InputError, match="--test_db: is not given"):
        prepare(tmp_path, "libritts", "--test_corpus", "librispeech_test")


def test_a_file_that_is_there_twice_is_told(tmp_path):
    root = LAYOUTS["emovdb"](tmp_path / "db")
    sound(root / "copy" / "bea_Amused" / "amused_1-15_0001.wav")
    with pytest.raises(InputError, match="'bea-amused-amused_1-15_0001' is there 2 times"):
        prepare(tmp_path, "emovdb")


def test_an_impossible_length_is_refused(tmp_path):
    with pytest.raises(InputError, match="--min_cut: 30 and --max_cut 20"):
        prepare(tmp_path, "libriheavy", "--min_cut", "30")


def packed(folder):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:bz2") as archive:
        archive.add(folder, folder.name)
    return stream.getvalue()


def test_a_corpus_is_downloaded_and_then_found(tmp_path, monkeypatch):
    content = packed(LAYOUTS["ljspeech"](tmp_path / "made"))
    archive = Archive("https://x/LJSpeech-1.1.tar.bz2", f"sha256:{hashlib.sha256(content).hexdigest()}")
    monkeypatch.setattr(ljspeech.Corpus, "archives", lambda self, parts: [archive])
    with serve({"/LJSpeech-1.1.tar.bz2": content}) as (url, _):
        prepare(tmp_path, "ljspeech", "--download", "only", "--mirror", url)
        assert not (tmp_path / "data").exists()
    prepare(tmp_path, "ljspeech", "--download", "true")
    assert len(DataDir.load(tmp_path / "data" / "train").wavs) == 16


def test_a_download_that_is_another_is_refused(tmp_path):
    message = "published is sha256:be1a30453f28"
    served = {"/LJSpeech-1.1.tar.bz2": b"something else"}
    with serve(served) as (url, _), pytest.raises(InputError, match=message):
        prepare(tmp_path, "ljspeech", "--download", "true", "--mirror", url)


def test_without_an_output_folder_nothing_is_read(tmp_path):
    write(tmp_path / "x", "")
    with pytest.raises(InputError, match="--output_dir: is not given"):
        prepare_corpus.main(["--corpus", "vctk", "--db", str(tmp_path)])


def test_real_recordings_of_ljspeech_in_its_layout(tmp_path):
    shared = Path(os.environ.get("ESPNET2_VALLE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    source = shared / "corpora" / "ljspeech_en"
    if not source.is_dir():
        pytest.skip("the recordings are not in ../shared")
    root = tmp_path / "db" / "LJSpeech-1.1"
    (root / "wavs").mkdir(parents=True)
    rows = [row.split("|") for row in (source / "metadata.csv").read_text().splitlines()[1:]]
    for name, _, _ in rows:
        soundfile.write(root / "wavs" / f"{name}.wav", *soundfile.read(source / "wav" / f"{name}.flac"))
    write(root / "metadata.csv", "".join(f"{name}|{text}|{text}\n" for name, _, text in rows))
    prepare(tmp_path, "ljspeech")
    sets = {name: DataDir.load(tmp_path / "data" / name) for name in ("train", "valid", "test")}
    assert {name: len(data.wavs) for name, data in sets.items()} == {"train": 28, "valid": 3, "test": 3}
    assert len(read_pairs(tmp_path / "data" / "test" / "pairs")) > 0
