"""Schedules that are shortened for few data."""

import pytest

from espnet2_valle.train.schedule import Schedule

WARMUP = {"warmup_steps_list": [0, 200, 3600], "warmup_lr_list": [0.0, 0.002, 0.00001]}
MINI = Schedule(12, 300, WARMUP)


@pytest.mark.parametrize("batches", [18, 500, 10**6])
def test_a_schedule_of_few_passes_stays_as_it_is(batches):
    assert MINI.bounded(batches, 200) is MINI


def test_epochs_get_shorter_and_the_learning_rate_goes_with_them():
    shorter = MINI.bounded(2, 200)
    assert (shorter.max_epoch, shorter.num_iters_per_epoch) == (12, 33)
    assert shorter.scheduler_conf == {**WARMUP, "warmup_steps_list": [0, 22, 396]}
    assert MINI.passes(2) == 1800
    assert shorter.passes(2) == 198
    assert shorter.bounded(2, 200) is shorter


@pytest.mark.parametrize("passes", [1, 3, 50, 199.5])
@pytest.mark.parametrize("batches", [1, 2, 7])
@pytest.mark.parametrize("length", [1, 40, None])
def test_no_schedule_is_longer_than_it_may_be_and_none_is_empty(passes, batches, length):
    shorter = Schedule(250, length, WARMUP).bounded(batches, passes)
    assert 1 <= shorter.steps(batches) <= max(1, passes * batches + 1)
    steps = shorter.scheduler_conf["warmup_steps_list"]
    assert steps == sorted(set(steps))


def test_an_epoch_of_one_pass_stays_one():
    assert Schedule(1000, None, {}).bounded(5, 200) == Schedule(200, None, {})


@pytest.mark.parametrize(
    ("conf", "shorter"),
    [
        ({"total_steps": 400, "pct_start": 0.1, "max_lr": 0.002}, {"total_steps": 40}),
        ({"warmup_steps": 25000}, {"warmup_steps": 2500}),
        ({"warmup_steps": None}, {}),
        ({"gamma": 0.9, "step_size": 10}, {}),  # of epochs
    ],
)
def test_what_counts_steps_is_shortened_alone(conf, shorter):
    assert Schedule(10, 40, conf).bounded(1, 40).scheduler_conf == conf | shorter
