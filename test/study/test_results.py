import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.layout import read_runs
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.study.config import Study, Variant
from espnet2_valle.study.plot import draw, line
from espnet2_valle.study.results import write_section
from espnet2_valle.study.table import Result, against_first, study_table


def row(pair, heard, sim):
    return UtteranceScore(pair, "mark", "one two three four", heard, None, 1.0, sim, 0.5, 3.0)


def metric(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def summary(wer, outcomes):
    keys = ("sim_prompt", "prompt_beats_other", "dnsmos")
    return {"wer": metric(wer), **{key: metric(0.7) for key in keys}, "outcomes": outcomes}


RESULTS = [
    Result("plain", 1.0, "a", summary(0.2, {"ok": 9, "stuck": 1})),
    Result(
        "other", 2.0, "a", summary(0.5, {"ok": 8, "hit_length_cap": 1, "stuck": 1}), 3.25, {"wer": 0.0004}
    ),
]


def test_a_section_is_put_in_and_then_replaced(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text("# Results\n\nBy hand.\n")
    write_section(path, "study a", "first\n")
    write_section(path, "study b", "other")
    path.write_text(path.read_text() + "\n## After\n")
    write_section(path, "study a", "second")
    assert path.read_text() == (
        "# Results\n\nBy hand.\n\n<!-- study a -->\nsecond\n<!-- end of study a -->\n"
        "\n<!-- study b -->\nother\n<!-- end of study b -->\n\n## After\n"
    )


def test_a_section_in_a_new_file(tmp_path):
    write_section(tmp_path / "new.md", "k", "text")
    assert (tmp_path / "new.md").read_text() == "<!-- k -->\ntext\n<!-- end of k -->\n"


def test_half_a_pair_of_markers_loses_nothing(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text("<!-- k -->\nprecious\n")
    with pytest.raises(InputError, match="without '<!-- end of k -->'"):
        write_section(path, "k", "text")
    assert path.read_text() == "<!-- k -->\nprecious\n"


def test_the_table_has_intervals_outcomes_and_what_did_not_end():
    lines = study_table(RESULTS).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    table = {line[0]: dict(zip(cells[0], line)) for line in cells[2:]}
    assert table["plain"]["WER"] == "20.0 % (10.0 to 30.0)"
    assert table["plain"]["p"] == "–"
    assert table["other"]["prompt"] == "3.2 s"
    assert table["other"]["`hit_length_cap`"] == "1"
    assert table["plain"]["`hit_length_cap`"] == "0"
    assert (table["plain"]["not ended"], table["other"]["not ended"]) == ("10.0 %", "20.0 %")
    assert "< 0.001" in lines[3]


def test_only_what_differs_from_the_first_line_is_unlikely():
    pairs = [f"p{number}" for number in range(20)]
    good = [row(pair, "one two three four", 0.8) for pair in pairs]
    bad = [row(pair, "one", 0.8) for pair in pairs]
    first, same, worse = against_first([good, good, bad], dict.fromkeys(pairs, "s"))
    assert first == {}
    assert same == {"wer": 1.0, "sim_prompt": 1.0, "dnsmos": 1.0}
    assert worse["wer"] < 0.01
    assert worse["sim_prompt"] == 1.0


@pytest.mark.parametrize(("x", "scale"), [(2.0, "linear"), (2.0, "log"), (None, "linear")])
def test_the_plot_is_a_picture(tmp_path, x, scale):
    study = Study("Title", "axis", (Variant("base", 1.0), Variant("other", x)), scale=scale)
    results = [RESULTS[0], Result("other", x, "b", {**summary(0.5, {"ok": 1}), "dnsmos": None})]
    draw(study, results, tmp_path / "studies" / "plot.png")
    assert (tmp_path / "studies" / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_line_goes_from_left_to_right():
    results = [
        Result("base", 3.0, "a", summary(0.1, {"ok": 1})),
        Result("far", 10.0, "a", summary(0.2, {"ok": 1})),
        Result("near", 0.0, "a", summary(0.3, {"ok": 1})),
        Result("other", 1.0, "b", summary(0.4, {"ok": 1})),
        Result("silent", 2.0, "a", {**summary(0.5, {"ok": 1}), "wer": {"value": None}}),
    ]
    assert [(x, result.name) for x, result in line(results, "a", "wer")] == [
        (0.0, "near"),
        (3.0, "base"),
        (10.0, "far"),
    ]
    unplaced = [Result("first", None, "a", summary(0.1, {"ok": 1})), *results]
    assert [x for x, _ in line(unplaced, "a", "wer")] == [0, 1, 2, 3]


def test_runs_need_labels_of_their_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert [run.label for run in read_runs([f"1={tmp_path}/a", f"{tmp_path}/b"])] == ["1", "b"]
    with pytest.raises(InputError, match="labels are"):
        read_runs([f"1={tmp_path}/a", f"1={tmp_path}/b"])
    with pytest.raises(InputError, match="no such directory"):
        read_runs([f"{tmp_path}/c"])
    with pytest.raises(InputError, match="codec.yaml: no such file"):
        read_runs([f"{tmp_path}/a"])[0].model_files("model.pth")
