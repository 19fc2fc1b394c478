"""run.sh with a named corpus: from --db, downloaded, and one that has a test set only."""

import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest
from miniature import librispeech_test, run, sound

pytestmark = pytest.mark.recipe


def emovdb(root):
    """Two emotions of one speaker, as the archives unpack."""
    for emotion, name in (("Angry", "anger"), ("Sleepy", "sleepiness")):
        for n in range(1, 41):
            sound(root / f"bea_{emotion}" / f"{name}_1-28_{n:04d}.wav", 2.0)
    lines = (f'( arctic_a{n:04d} "sentence {n}" )\n' for n in range(1, 41))
    (root / "cmuarctic.data").write_text("".join(lines))


def options(tmp_path, *more):
    folders = [("--datadir", "data"), ("--dumpdir", "dump"), ("--expdir", "exp")]
    named = [word for name, folder in folders for word in (name, str(tmp_path / folder))]
    return [*named, "--nj", "1", *more]


def test_a_corpus_that_a_lab_has_goes_through_the_first_stages_once(tmp_path):
    emovdb(tmp_path / "db")
    words = ["--corpus", "emovdb", "--db", str(tmp_path / "db"), "--stop_stage", "2"]
    done = run(*options(tmp_path, *words))
    assert done.returncode == 0, done.stdout
    emotions = (tmp_path / "dump" / "emovdb" / "raw" / "test" / "utt2emo").read_text()
    assert "bea-angry-anger_1-28_0020 angry\n" in emotions
    again = run(*options(tmp_path, *words))
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("done before") == 4


def test_a_share_of_bad_entries_is_allowed_in_stage_1_too(tmp_path):
    rows = [f"u{n}|{n % 2}|text {n}\n" for n in range(30)]
    for n in range(29):
        sound(tmp_path / "db" / f"u{n}.wav", 2.0)
    (tmp_path / "db" / "metadata.csv").write_text("".join(["id|speaker|text\n", *rows]))
    words = ["--corpus", "folder", "--db", str(tmp_path / "db"), "--stop_stage", "1"]
    refused = run(*options(tmp_path, *words))
    assert refused.returncode == 1
    assert "'u29' has no sound file" in refused.stdout
    assert "raise --max_bad to go on without them" in refused.stdout
    done = run(*options(tmp_path, *words, "--max_bad", "0.1"))
    assert done.returncode == 0, done.stdout


def recordings(folder, words):
    """Train and test folders, two speakers in each, who are called alike in every corpus."""
    for name, speakers in (("train", "ab"), ("test", "cd")):
        rows = [f"{speaker}{n}|{speaker}|{word}\n" for speaker in speakers for n, word in enumerate(words)]
        for row in rows:
            sound(folder / name / "wav" / f"{row.split('|')[0]}.wav", 2.0)
        (folder / name / "metadata.csv").write_text("".join(["id|speaker|text\n", *rows]))


def test_several_corpora_are_one_training_with_speakers_apart(tmp_path):
    recordings(tmp_path / "x-1", ["one", "two", "one two"])
    recordings(tmp_path / "my y", ["two", "six", "six two"])
    words = ["--corpus", "folder", "--tag", "t", "--stop_stage", "2", "--max_bad", "0"]
    words += ["--db", f"{tmp_path}/x-1 '{tmp_path}/my y'", "--local_data_opts", "my_y: --valid_share 0.3"]
    done = run(*options(tmp_path, *words))
    assert done.returncode == 0, done.stdout
    raw = tmp_path / "dump" / "t" / "raw"
    speakers = {name: set((raw / name / "spk2utt").read_text().split()[::1]) for name in ("train", "test")}
    assert {"x_1-a", "x_1-b", "my_y-a", "my_y-b"} <= speakers["train"]
    assert {"x_1-c", "x_1-d", "my_y-c", "my_y-d"} <= speakers["test"]
    assert len((raw / "valid" / "text").read_text().splitlines()) == 1 + 2
    pairs = [line.split()[1:3] for line in (raw / "test" / "pairs").read_text().splitlines()]
    assert {prompt.partition("-")[0] for prompt, _ in pairs} == {"x_1", "my_y"}
    assert all(prompt.split("-")[:1] == target.split("-")[:1] for prompt, target in pairs)

    again = run(*options(tmp_path, *words))
    assert again.stdout.count("done before") == 3 + 3
    one = run(*options(tmp_path, *words, "--test_sets", "test_my_y"))
    assert one.stdout.count("done before") == 3 + 2
    assert {line.partition("-")[0] for line in (raw / "test_my_y" / "text").open()} == {"my_y"}

    (tmp_path / "x-1" / "train" / "metadata.csv").write_text(
        "id|speaker|text\na0|a|one\nb0|b|two\nb1|b|two\n"
    )
    less = run(*options(tmp_path, *words))
    assert less.stdout.count("done before") == 1, less.stdout  # the other corpus as it is
    assert len((raw / "train" / "text").read_text().splitlines()) == 2 + 4


@pytest.fixture
def mirror(tmp_path):
    """URL of a folder with an archive of LibriSpeech's that is not the real one."""
    librispeech_test(tmp_path / "made")
    served = tmp_path / "served"
    served.mkdir()
    with tarfile.open(served / "test-clean.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "made" / "LibriSpeech", "LibriSpeech")
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_corpus_that_is_not_the_published_one_is_not_taken(tmp_path, mirror):
    words = ["--corpus", "librispeech_test", "--db", str(tmp_path), "--download", "true", "--stop_stage", "1"]
    refused = run(*options(tmp_path, *words, "--local_data_opts", f"--mirror {mirror}"))
    assert refused.returncode == 1
    assert "test-clean.tar.gz: has sha256:" in refused.stdout
    assert (
        "and published is sha256:39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"
        in refused.stdout
    )
    assert not (tmp_path / "data" / "librispeech_test" / ".done").exists()


def test_a_test_corpus_needs_a_model_to_score(tmp_path):
    librispeech_test(tmp_path)
    words = ["--corpus", "librispeech_test", "--db", str(tmp_path)]
    refused = run(*options(tmp_path, *words))
    assert refused.returncode == 1
    assert "has a test set only. Name a packed model to score on it with --download_model" in refused.stdout
    done = run(*options(tmp_path, *words, "--stop_stage", "2"))
    assert done.returncode == 0, done.stdout
    raw = tmp_path / "dump" / "librispeech_test" / "raw" / "test"
    assert (raw / "pairs").read_text().splitlines()[0] == "121-7-0000 121-7-0002 121-7-0000 61-7-0000"
    assert (raw / "pairs_continuation").read_text().splitlines()[0].split()[1] == "121-7-0000"


@pytest.mark.skipif(any(map(find_spec, ("faster_whisper", "whisper"))), reason="whisper is installed")
def test_mandarin_has_a_judge_of_its_own_and_its_package_is_missed_before_all_else(tmp_path):
    refused = run(*options(tmp_path, "--corpus", "aishell3", "--db", str(tmp_path)))
    assert refused.returncode == 1
    assert "the recogniser whisper: needs the package faster_whisper" in refused.stdout
    assert "pip install 'espnet2_valle[whisper]'" in refused.stdout
    assert "stage 1" not in refused.stdout


@pytest.mark.parametrize("corpus", ["ljspeech", "vctk", "libritts", "libriheavy", "aishell3"])
def test_a_folder_that_holds_another_corpus_is_refused(tmp_path, corpus):
    refused = run(*options(tmp_path, "--corpus", corpus, "--db", str(tmp_path), "--stop_stage", "1"))
    assert refused.returncode == 1
    assert f"error: {tmp_path}: does not hold" in refused.stdout
