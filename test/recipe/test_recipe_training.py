import os
import sys

import pytest

from espnet2_valle.common import lock
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.lock import only_one
from espnet2_valle.recipe import training
from espnet2_valle.recipe.steps import fingerprint
from espnet2_valle.recipe.training import Launch, run_logged, train

ALONE = Launch(ngpu=0, num_nodes=1, cmd="none")


def python(code):
    return [sys.executable, "-c", code]


def test_the_log_has_all_and_the_screen_the_epochs(tmp_path, capfdbinary):
    log = tmp_path / "new" / "train.log"
    run_logged(
        str(log),
        python("import sys; print('2epoch started', flush=True); sys.stderr.write('tick 1\\rtick 2\\n')"),
    )
    run_logged(str(log), python("print('1epoch results: good'); print('last', end='')"))
    first, *lines = log.read_bytes().split(b"\n")
    assert first.startswith(b"# ")
    assert lines[:2] == [b"2epoch started", b"tick 1\rtick 2"]
    assert lines[-1] == b"last"
    shown = capfdbinary.readouterr().out.splitlines()
    assert shown[0].endswith(b"training; log: " + bytes(log))
    assert [shown[1], shown[3]] == [b"2epoch started", b"1epoch results: good"]
    assert len(shown) == 4


def test_a_training_that_fails_shows_the_end_of_its_log(tmp_path, capfdbinary):
    log = str(tmp_path / "train.log")
    with pytest.raises(InputError, match="the training was broken off. Run the same command again to go on"):
        run_logged(log, python("[print(n) for n in range(40)]; raise SystemExit(1)"))
    assert capfdbinary.readouterr().err.split() == [b"%d" % n for n in range(15, 40)]


def test_a_training_is_begun_once_and_goes_on(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("a: 1\n")
    folder = tmp_path / "ar"
    command = [*python(f"import sys; open('{folder}/model.pth', 'a').write(sys.argv[2])"), str(config)]
    for _ in range(2):
        train(str(folder), f"{folder}/model.pth", [str(config)], command, ALONE)
    assert (folder / "model.pth").read_text() == "--ngpu"
    key = fingerprint([str(folder / ".started")], ["launch_training", str(folder), *command])
    assert (folder / ".done").read_text().split()[0] == key
    config.write_text("a: 2\n")
    with pytest.raises(InputError, match="holds a training with another config"):
        train(str(folder), f"{folder}/model.pth", [str(config)], command, ALONE)


def test_a_finished_training_goes_on_with_more_epochs(tmp_path):
    folder, output = str(tmp_path / "ar"), f"{tmp_path}/ar/model.pth"
    command = python(f"import sys; open({output!r}, 'a').write(sys.argv[sys.argv.index('--max_epoch') + 1])")
    for epochs in ("1", "1", "2", "2"):
        train(folder, output, [], [*command, "--max_epoch", epochs], ALONE)
    assert (tmp_path / "ar" / "model.pth").read_text() == "12"
    with pytest.raises(InputError, match=r"What differs: max_epoch: 2\.0 -> 3\.0 \(it would go on\); seed"):
        train(folder, output, [], [*command, "--max_epoch", "3", "--seed", "1"], ALONE)
    assert (tmp_path / "ar" / "model.pth").read_text() == "12"


def test_a_second_training_in_a_folder_is_refused_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    folder = tmp_path / "ar"
    with only_one(folder):
        before = sorted(folder.iterdir())
        with pytest.raises(InputError, match=f"{folder}: process {os.getpid()} of .* is at work there"):
            train(str(folder), f"{folder}/model.pth", [], python("raise SystemExit(3)"), ALONE)
        assert sorted(folder.iterdir()) == before
    assert not folder.exists()


def test_what_is_no_training_of_espnet_takes_no_ngpu(tmp_path):
    folder = str(tmp_path / "judge")
    train(folder, folder, [], python("import sys; print(sys.argv)"), None)
    assert (tmp_path / "judge" / "train.log").read_text().endswith("['-c']\n")


@pytest.mark.parametrize("launch", [Launch(2, 1, "slurm.pl"), Launch(1, 2, "slurm.pl")])
def test_several_gpus_are_left_to_the_launcher(tmp_path, monkeypatch, launch):
    called = []
    monkeypatch.setattr(training, "run", called.append)
    output = tmp_path / "model.pth"
    output.touch()
    train(str(tmp_path / "ar"), str(output), [], ["command", "--option"], launch)
    (words,) = called
    assert words[1:5] == ["-m", "espnet2.bin.launch", "--cmd", "slurm.pl"]
    assert words[words.index("--ngpu") + 1] == str(launch.ngpu)
    assert words[words.index("--num_nodes") + 1] == str(launch.num_nodes)
    assert words[-3:] == ["--", "command", "--option"]
