"""Figures of benchmarks: the bar, the table, the JSON."""

import json

import pytest

from espnet2_valle.bench.figure import Figure, median_seconds, render, write_json


@pytest.mark.parametrize(
    ("value", "bar", "met"),
    [(10, ">= 10", True), (9.9, ">= 10", False), (1.5, "<= 1.5", True), (3, "", None)],
)
def test_bar_says_whether_it_is_met(value, bar, met):
    assert Figure("speed", value, "ratio", bar).met is met


def test_table_and_json_hold_every_figure(tmp_path):
    figures = [Figure("a", 1.23456, "s", "<= 1", {"threads": 2}), Figure("b", 2.0, "ratio")]
    table = render(figures)
    assert "| a | 1.235 | s | <= 1 | no | threads 2 |" in table
    write_json(figures, tmp_path / "figures.json")
    rows = [json.loads(line) for line in (tmp_path / "figures.json").read_text().splitlines()]
    assert [row["figure"] for row in rows] == ["a", "b"]
    assert set(rows[0]) == {"figure", "value", "unit", "bar", "config"}


def test_median_does_not_count_the_warm_up():
    calls = []
    median_seconds(lambda: calls.append(1), repeats=3, warm_up=2)
    assert len(calls) == 5
