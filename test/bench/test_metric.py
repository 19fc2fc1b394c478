"""Figures of benchmarks: the bar, the table, the JSON."""

import json

import pytest

from espnet2_valle.bench.metric import Metric, median_seconds, render, write_json


@pytest.mark.parametrize(
    ("value", "bar", "met"),
    [(10, ">= 10", True), (9.9, ">= 10", False), (1.5, "<= 1.5", True), (3, "", None)],
)
def test_bar_says_whether_it_is_met(value, bar, met):
    assert Metric("speed", value, "ratio", bar).met is met


def test_table_and_json_hold_every_metric(tmp_path):
    metrics = [Metric("a", 1.23456, "s", "<= 1", {"threads": 2}), Metric("b", 2.0, "ratio")]
    table = render(metrics)
    assert "| a | 1.235 | s | <= 1 | no | threads 2 |" in table
    write_json(metrics, tmp_path / "metrics.json")
    rows = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    assert [row["metric"] for row in rows] == ["a", "b"]
    assert set(rows[0]) == {"metric", "value", "unit", "bar", "config"}


def test_median_does_not_count_the_warm_up():
    calls = []
    median_seconds(lambda: calls.append(1), repeats=3, warm_up=2)
    assert len(calls) == 5
