"""The benchmarks of one and two workers run at a small size and report every metric."""

import argparse
import os

from espnet2_valle.bench import tokenize
from espnet2_valle.bench.workers import compare_workers, seconds_of, write_voices


def test_the_ratio_is_that_of_runs_side_by_side():
    taken = {(1, 0): 10.0, (2, 0): 5.0, (1, 1): 30.0, (2, 1): 10.0, (1, 2): 20.0, (2, 2): 11.0}
    metrics = compare_workers("work", 40, 3, lambda nj, number: taken[nj, number], {})
    assert [metric.metric for metric in metrics] == ["work_rate", "work_rate", "work_two_workers"]
    assert [metric.value for metric in metrics] == [2.0, 4.0, 2.0]
    assert [metric.config.get("workers") for metric in metrics] == [1, 2, None]


def test_voices_are_of_the_asked_length_and_no_two_alike(tmp_path):
    paths = write_voices(tmp_path, 4, 0.5, 8000)
    contents = [path.read_bytes() for path in paths.values()]
    assert len(set(contents)) == 4
    assert {len(content) for content in contents} == {44 + 2 * 4000}


def test_a_worker_has_one_thread_and_the_start_of_python_is_counted():
    assert seconds_of(expect_one_thread) > 0.01


def expect_one_thread():
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_tokenize():
    parser = argparse.ArgumentParser()
    tokenize.add_arguments(parser)
    metrics = tokenize.measure(parser.parse_args(["--num_utterances=4", "--seconds=0.5", "--rounds=1"]))
    assert [metric.metric for metric in metrics] == ["tokenize_rate", "tokenize_rate", "tokenize_two_workers"]
    assert all(metric.value > 0 for metric in metrics)
