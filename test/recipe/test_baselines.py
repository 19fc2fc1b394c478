import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.baselines import (
    comparison,
    model_file,
    teacher,
    trained_baselines,
    training_minutes,
)
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import Settings


@pytest.fixture
def exp(tmp_path):
    """Training directory of a run."""
    (tmp_path / "mini").mkdir()
    return tmp_path / "mini"


def settings(exp, **options):
    return Settings(Options(expdir=str(exp.parent), **options))


def test_a_teacher_is_trained_before_its_student():
    assert trained_baselines(Options()) == []
    assert trained_baselines(Options(baseline="vits fastspeech2")) == ["vits", "tacotron2", "fastspeech2"]
    assert [teacher("fastspeech2"), teacher("vits")] == ["tacotron2", ""]
    assert [model_file("vits"), model_file("tacotron2")] == ["latest.pth", "valid.loss.ave.pth"]


def test_a_baseline_may_take_the_time_of_valle_and_that_is_written_down(exp):
    with pytest.raises(InputError, match="VALL-E was not trained here. Say how many minutes"):
        training_minutes(settings(exp))
    with pytest.raises(InputError, match="NaturalSpeech 2 was not trained here"):
        training_minutes(settings(exp, model="ns2"))
    assert training_minutes(settings(exp, baseline_minutes="0")) == "0"
    (exp / "stage_times").write_text("data 500\ntrain_ar 100\ntrain_nar 27\n")
    assert training_minutes(settings(exp)) == "2.1"
    (exp / "stage_times").write_text("train_ar 900\ntrain_nar 27\n")
    assert training_minutes(settings(exp)) == "2.1"


def test_systems_that_are_compared_are_named_with_what_they_depend_on(exp):
    nothing = comparison(settings(exp))
    assert set(map(len, nothing.values())) == {0}
    run = settings(exp, baseline="fastspeech2", systems="theirs=/a/b", pairs="pairs_continuation")
    folder = f"{exp}/fastspeech2/decode_continuation"
    assert comparison(run) == {
        "compared": ["--system", f"fastspeech2={folder}/wav.scp", "--system", "theirs=/a/b"],
        "compared_scored": [
            *("--outcomes", f"fastspeech2={folder}/outcomes"),
            *("--training", "fastspeech2=train_tacotron2,train_fastspeech2"),
        ],
        "compared_done": [f"{folder}/.done", f"{exp}/decode_continuation/.systems"],
        "compared_paths": ["/a/b"],
    }
