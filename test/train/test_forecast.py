"""When a training will end is said after its first steps."""

import logging

import pytest
import yaml

from espnet2_valle.common.conf import CONF, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.train import forecast
from espnet2_valle.train.forecast import STEPS, Expected, Forecast


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by hand."""
    time = [0.0]
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: time[0])
    return time


def make_steps(clock, listening, durations, remaining=100):
    listening.begin()
    for seconds in durations:
        clock[0] += seconds
        listening.step(remaining)


def test_the_end_is_told_once_by_the_typical_step(clock, caplog):
    caplog.set_level(logging.INFO)
    listening = Forecast()
    make_steps(clock, listening, [60.0] + [2.0] * (STEPS - 2))
    assert not caplog.records
    clock[0] += 500  # a validation
    make_steps(clock, listening, [2.0] * 3, remaining=300)
    assert len(caplog.records) == 1
    assert "a step takes 2.00 s: the training will end at " in caplog.text
    assert "(in 0:10:00)" in caplog.text


@pytest.mark.parametrize(("seconds", "warned"), [(9.0, False), (11.0, True)])
def test_a_training_far_slower_than_its_config_promises_is_warned_of(clock, caplog, seconds, warned):
    listening = Forecast(Expected(seconds=400, steps=400, machine="two cores of something"))
    make_steps(clock, listening, [seconds] * STEPS)
    assert ("11 times as long as on the machine" in caplog.text) is warned
    assert ("two cores of something" in caplog.text) is warned


@pytest.mark.parametrize(
    "section",
    [
        {"seconds": 1},
        {"seconds": 0, "steps": 1, "machine": "x"},
        {"seconds": "1e3", "steps": 1, "machine": "x"},
        {"seconds": 1, "steps": 1, "machine": 3},
        {"second": 1, "steps": 1, "machine": "x"},
    ],
)
def test_a_section_at_fault_is_refused(section):
    with pytest.raises(InputError, match="expected"):
        Expected.of(section)


def test_a_config_may_promise_nothing():
    assert Expected.of({}) is None


@pytest.mark.parametrize("kind", ["ar", "nar"])
def test_the_default_training_promises_what_it_took(kind):
    config = yaml.safe_load((CONF / f"train_{kind}_mini.yaml").read_text(encoding="utf-8"))
    expected = Expected.of(config["expected"])
    assert expected.steps == config["max_epoch"] * config["num_iters_per_epoch"]


def test_whatever_a_config_promises_is_well_formed():
    for path in CONF.glob("**/train_*.yaml"):
        Expected.of(read_config(path).get("expected") or {})
