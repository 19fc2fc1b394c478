import pytest

from espnet2_valle.recipe.times import add_time, read_stage_times


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    """The working directory is that of the recipe."""
    (tmp_path / "egs2" / "valle").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "egs2" / "valle")
    return tmp_path


def test_a_stage_has_the_sum_of_all_calls(recipe):
    times = recipe / "exp" / "stage_times"
    assert read_stage_times(str(times)) == {}
    for stage, seconds in (("data", 3), ("text", 1), ("data", 4)):
        add_time(str(times), stage, seconds)
    assert times.read_text() == "data 7\ntext 1\n"


def test_the_installation_counts_once(recipe):
    (recipe / ".venv").mkdir()
    (recipe / ".venv" / ".setup_seconds").write_text("60\n")
    for _ in range(2):
        add_time("stage_times", "data", 1)
    assert read_stage_times("stage_times") == {"setup": 60, "data": 2}
