"""Settings of a training, one by one."""

import shutil

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.begun import changed, goes_on, settings_of, tell
from espnet2_valle.recipe.steps import start_training

CONFIG = "valle_conf: {layers: 4}\noptim_conf: {lr: 0.001}\nmax_epoch: 1\nexpected: {seconds: 5}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "data").write_text("1\n")
    return tmp_path


def begin(*options):
    return start_training("ar", ["data"], ["train", "--config", "c.yaml", *options])


@pytest.mark.parametrize(
    "options",
    [
        ["--max_epoch", "2"],
        ["--max_epoch=3"],
        ["--max_epoch", "2", "--patience", "4", "--num_workers", "0"],
        ["--log_interval", "10"],
        ["--train_minutes", "20"],
        ["--optim_conf", "lr=1e-3"],  # as it was
        ["--keep_nbest_models", "5"],
    ],
)
def test_a_training_goes_on_with_settings_that_say_how_far(folder, options):
    begin()
    before = (folder / "ar" / ".started").read_text()
    begin(*options)
    assert (folder / "ar" / ".started").read_text() != before
    begin(*options)


def test_a_comment_or_more_epochs_in_the_config_go_on(folder):
    begin()
    (folder / "c.yaml").write_text(f"# as before\n{CONFIG.replace('max_epoch: 1', 'max_epoch: 20')}")
    begin()


def test_what_an_option_said_the_config_may_say(folder):
    begin("--join_seconds", "8")
    (folder / "c.yaml").write_text(f"{CONFIG}join_seconds: 8\n")
    begin()
    (folder / "c.yaml").write_text(CONFIG)
    with pytest.raises(InputError, match=r"join_seconds: 8\.0 -> unset"):
        begin()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--optim_conf", "lr=0.01"],
            r"optim_conf\.lr: 0\.001 -> 0\.01 \(it learns otherwise, so trains anew\)",
        ),
        (["--batch_bins", "7"], r"batch_bins: unset -> 7\.0 \(it learns otherwise"),
        (
            ["--valle_conf", "layers=5"],
            r"valle_conf\.layers: 4\.0 -> 5\.0 \(another model, which trains anew\)",
        ),
        (
            ["--max_epoch", "2", "--seed", "3"],
            r"max_epoch: 1\.0 -> 2\.0 \(it would go on\); seed: unset -> 3\.0",
        ),
        (["--token_type", "char"], r"token_type: unset -> char \(another model"),
    ],
)
def test_what_differs_is_told_setting_by_setting(folder, options, told):
    begin()
    with pytest.raises(
        InputError, match=rf"holds a training with another config, codec or data\. Choose .*{told}"
    ):
        begin(*options)


def test_other_data_is_named(folder):
    begin()
    (folder / "data").write_text("2\n")
    with pytest.raises(InputError, match="What differs: file data: another content: it trains anew"):
        begin()


def test_another_program_or_word_is_told(folder):
    begin()
    with pytest.raises(InputError, match=r"-x: unset -> given \(it learns otherwise"):
        begin("-x")


def test_a_recogniser_goes_on_with_more_epochs_of_its_config_which_is_among_its_files(folder):
    def begin_recogniser():
        return start_training("judge", ["c.yaml", "data"], ["train", "--config", "c.yaml"])

    begin_recogniser()
    (folder / "c.yaml").write_text(CONFIG.replace("max_epoch: 1", "max_epoch: 9"))
    begin_recogniser()
    (folder / "c.yaml").write_text(CONFIG.replace("lr: 0.001", "lr: 0.1"))
    with pytest.raises(InputError, match=r"max_epoch: 9\.0 -> 1\.0 .*optim_conf\.lr: 0\.001 -> 0\.1"):
        begin_recogniser()


def test_a_recogniser_goes_on_with_data_that_was_made_anew_and_is_the_same(folder):
    """Markers of finished steps tell when that was."""

    def begin_recogniser(time, text="one a\n"):
        raw.mkdir(exist_ok=True)
        (raw / ".done").write_text(f"key {time}\n")
        (raw / "text").write_text(text)
        (raw / "utt2num_samples").write_text("one 8000\n")
        start_training("judge", ["raw/.done"], ["train", "--config", "c.yaml"])

    raw = folder / "raw"
    begin_recogniser("2026-01-01")
    shutil.rmtree(raw)
    begin_recogniser("2026-01-02")
    with pytest.raises(InputError, match=r"file raw/\.done: another content: it trains anew"):
        begin_recogniser("2026-01-03", "one b\n")


def test_a_marker_of_what_has_no_tables_counts_by_itself(folder):
    (folder / ".done").write_text("key 1\n")
    start_training("detector", [".done"], ["train"])
    (folder / ".done").write_text("key 2\n")
    with pytest.raises(InputError, match=r"file \.done: another content"):
        start_training("detector", [".done"], ["train"])


def test_a_training_begun_by_an_earlier_version_is_known(folder):
    begin()
    (folder / "ar" / ".settings.json").unlink()
    begin()
    (folder / "ar" / ".settings.json").unlink()
    with pytest.raises(InputError, match="holds a training with another config.*train anew$"):
        begin("--max_epoch", "2")


def test_options_go_before_the_config_and_paths_do_not_count_for_contents(folder):
    (folder / "d.yaml").write_text(CONFIG)
    one = settings_of([], ["x", "--config", "c.yaml", "--max_epoch", "9"])
    other = settings_of([], ["x", "--config", "d.yaml", "--max_epoch=9"])
    assert one == other
    assert one["max_epoch"] == "9.0"
    assert changed(one, one) == {}
    assert tell({"seed": ("1", "2")}).startswith("seed: 1 -> 2")
    assert goes_on("max_epoch")
    assert not goes_on("model_conf.bf16")
