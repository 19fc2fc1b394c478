import os
import signal
import subprocess
import sys

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.steps import Step, fingerprint, list_files, start_training

# By utils/steps.sh, in bash, of the first recipe.
DIGEST = "ce65657a8d3b9d53189c1c8cc3a7aea0549f9a7919c7fc9b31e7705da9065bf7"
DIGEST_OF_WORDS = "5529175c8a33e3fbd6d0b3657f0ee7faacb2aa0b2ba6fea527d8e8882f2e10ef"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working directory with two files and a config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("one\ntwo")
    (tmp_path / "b").write_bytes(b"\x00\xffbytes")
    (tmp_path / "c.yaml").write_text("key: 1\n")
    return tmp_path


def touch(name, more=""):
    return [sys.executable, "-c", f"import sys; open(sys.argv[1], 'a').write('x'); {more}", name]


def step(files=("a",), command=None):
    return Step("made/.done", "made/output", list(files), command or touch("made/output"))


@pytest.fixture
def done(folder):
    (folder / "made").mkdir()
    step().perform()
    return folder / "made" / "output"


def test_what_a_training_has_learnt_from_is_kept(folder, capsys):
    def perform(option):
        command = ["sh", "-c", "mkdir -p codec; echo $0 >>codec/yaml", option]
        Step("codec/.done", "codec/yaml", ["a"], command, keep_for=["ar", "nar"]).perform()
        return (folder / "codec" / "yaml").read_text().split()

    assert perform("one") == ["one"]
    assert perform("two") == ["one", "two"]
    (folder / "nar").mkdir()
    (folder / "nar" / ".started").touch()
    assert perform("two") == ["one", "two"]
    with pytest.raises(
        InputError, match="codec: would be made anew .* and nar learnt from it. Choose another --tag"
    ):
        perform("three")
    (folder / "a").write_text("other data")
    assert perform("two") == ["one", "two"]
    assert "kept, since nar learnt from it: codec/yaml" in capsys.readouterr().out
    (folder / "nar" / ".started").unlink()
    assert perform("two") == ["one", "two", "two"]


def test_a_marker_of_an_earlier_version_says_nothing_of_its_words(folder):
    made = Step("made/.done", "made/output", ["a"], touch("made/output"), keep_for=["ar"])
    (folder / "made").mkdir()
    made.perform()
    (folder / "ar").mkdir()
    (folder / "ar" / ".started").touch()
    marker = folder / "made" / ".done"
    marker.write_text(" ".join(marker.read_text().split()[:2]) + "\n")
    (folder / "a").write_text("other data")
    made.perform()
    assert (folder / "made" / "output").read_text() == "xx"


def test_a_fingerprint_is_that_of_finished_runs():
    words = [
        "python",
        "-m",
        "module",
        "--nj",
        "4",
        "--config",
        "c.yaml",
        "--other",
        "gone.yaml",
        "two words",
        "",
    ]
    words += ["ü", "--device", "cuda", "--batch_size", "16", "--cluster", "x.yaml", "last", "--ngpu"]
    assert fingerprint(["a", "b"], words) == DIGEST
    assert fingerprint([], ["only", "words"]) == DIGEST_OF_WORDS


def test_a_config_counts_with_its_base(folder):
    (folder / "base.yaml").write_text("key: 1\n")
    (folder / "c.yaml").write_text("base: base.yaml\nmore: 2\n")
    before = fingerprint([], ["train", "c.yaml"])
    (folder / "base.yaml").write_text("key: 2\n")
    assert fingerprint([], ["train", "c.yaml"]) != before


def test_a_corpus_is_prepared_under_the_name_of_its_first_script():
    words = ["--output_dir", "data/mini", "--nj", "2"]
    now = fingerprint(["a"], ["local/data.sh", "--corpus", "mini", *words])
    assert now == fingerprint(["a"], ["local/mini.sh", *words])


def test_a_step_is_done_once(done, capsys):
    step().perform()
    assert done.read_text() == "x"
    assert capsys.readouterr().out.endswith("done before: made/output\n")


def test_workers_change_no_result(done):
    step(command=[*touch("made/output"), "--nj", "7", "--device", "cuda"]).perform()
    assert done.read_text() == "x"


@pytest.mark.parametrize("changed", ["a", "c.yaml", "output", "word", "marker"])
def test_what_changed_is_done_again(folder, changed):
    (folder / "made").mkdir()
    command = [*touch("made/output"), "c.yaml"]
    step(command=command).perform()
    if changed in ("a", "c.yaml"):
        (folder / changed).write_text("other")
    elif changed == "output":
        (folder / "made" / "output").unlink()
    elif changed == "marker":
        (folder / "made" / ".done").unlink()
    else:
        command = [*command, "word"]
    step(command=command).perform()
    assert (folder / "made" / "output").read_text() == ("x" if changed == "output" else "xx")


def test_a_marker_of_the_first_recipe_holds(done):
    key = fingerprint(["a"], touch("made/output"))
    assert (done.parent / ".done").read_text().split()[0] == key
    (done.parent / ".done").write_text(f"{key} 2026-11-01T10:20:30\n")
    step().perform()
    assert done.read_text() == "x"


def test_a_later_step_is_done_again_after_an_earlier_one(done, folder):
    later = Step("later", "out", ["made/.done"], touch("out"))
    later.perform()
    later.perform()
    assert (folder / "out").read_text() == "x"
    (folder / "a").write_text("other")
    step().perform()
    later.perform()
    assert (folder / "out").read_text() == "xx"


@pytest.mark.parametrize(
    ("ending", "status"), [("sys.exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_a_step_that_fails_or_is_killed_is_not_done(done, ending, status):
    failing = step(files=("b",), command=touch("made/output", ending))
    with pytest.raises(SystemExit) as caught:
        failing.perform()
    assert caught.value.code == status
    assert not (done.parent / ".done").exists()


def test_a_step_that_writes_nothing_or_lacks_a_file_is_named(folder):
    with pytest.raises(InputError, match="made/output: not written, though the command ended well: true"):
        step(command=["true"]).perform()
    with pytest.raises(InputError, match="gone: no such file"):
        step(files=("gone",)).perform()


def test_a_training_folder_keeps_its_settings(folder):
    assert start_training("made", ["a"], ["train", "c.yaml"]) == "made/.started"
    start_training("made", ["a"], ["train", "c.yaml", "--nj", "2"])
    assert (folder / "made" / ".started").read_text() == f"{fingerprint(['a'], ['train', 'c.yaml'])}\n"
    (folder / "c.yaml").write_text("key: 2\n")
    with pytest.raises(
        InputError, match="holds a training with another config, codec or data. Choose another"
    ):
        start_training("made", ["a"], ["train", "c.yaml"])


def test_files_are_listed_with_what_tells_that_they_changed(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "d").write_text("12")
    os.symlink("nowhere", folder / "broken")
    listed = list_files(".").decode().splitlines()
    assert [line.split()[:2] for line in listed] == [
        ["./a", "7"],
        ["./b", "7"],
        ["./c.yaml", "7"],
        ["./sub/d", "2"],
    ]
    assert listed[0].split()[2] == str((folder / "a").stat().st_mtime_ns)
    os.symlink("..", "sub/up")
    os.symlink("self", "self")
    assert list_files(".").decode().splitlines() == listed  # a link that leads back adds nothing
    assert list_files("b") == b"\x00\xffbytes"


def interruptible():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_command_ends_well_upon_an_interrupt(folder):
    ending = (
        "import time\ntry: print('on', flush=True); time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(1)"
    )
    code = f"{ending}\nopen('ended', 'w').close(); raise SystemExit(7)"
    words = [sys.executable, "-m", "espnet2_valle.bin.step", "made/.done", "made/output", "--"]
    process = subprocess.Popen(
        [*words, sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=interruptible,  # also where the tests run in the background
    )
    assert process.stdout.readline() == b"on\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 7
    assert (folder / "ended").exists()
    assert process.stderr.read() == b""


def test_a_step_passes_output_through(done):
    words = [sys.executable, "-m", "espnet2_valle.bin.step", "made/.done", "made/output", "b", "--"]
    ended = subprocess.run(
        [*words, *touch("made/output", "print('said')")], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "said\n"
