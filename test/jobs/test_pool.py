import os
import signal
import time

import pytest
import yaml
from distributed.scheduler import KilledWorker

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.jobs.config import ClusterConfig
from espnet2_valle.jobs.pool import Workers, _Handout, parallel_map, use_cluster


def slow_square(number: int) -> int:
    time.sleep(0.02 if number == 0 else 0)  # the first item ends last
    return number * number


def fail_on_two(number: int) -> int:
    if number == 2:
        raise InputError("two", "is not wanted", "Leave it out")
    return number


def break_on_two(number: int) -> int:
    return 1 // (number - 2)


def die_on_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def about_worker(number: int) -> tuple[int, str | None]:
    time.sleep(0.05)
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


@pytest.fixture
def workers(tmp_path):
    """Two workers for all calls of a test, which give an item up at the first death."""
    path = tmp_path / "local.yaml"
    path.write_text(yaml.safe_dump({"env": "local", "n_workers": 2, "allowed_failures": 0}))
    with use_cluster(path):
        yield


@pytest.mark.parametrize("nj", [1, 2])
def test_results_come_in_the_order_of_the_items(nj):
    assert list(parallel_map(slow_square, range(7), nj)) == [n * n for n in range(7)]


def test_two_workers_do_what_one_process_does(workers):
    many = range(3000)  # tasks of several items each
    assert list(parallel_map(slow_square, many)) == [n * n for n in many]
    with pytest.raises(InputError, match="two: is not wanted. Leave it out") as caught:
        list(parallel_map(fail_on_two, range(5)))
    assert caught.value.remedy == "Leave it out"
    kept = list(parallel_map(fail_on_two, range(5), keep_errors=True))
    assert [str(result) for result in kept] == ["0", "1", "two: is not wanted. Leave it out", "3", "4"]


def test_errors_in_this_process():
    seen = []
    with pytest.raises(InputError, match="two: is not wanted"):
        seen.extend(parallel_map(fail_on_two, range(5)))
    kept = list(parallel_map(fail_on_two, range(5), keep_errors=True))
    assert [str(result) for result in kept] == ["0", "1", "two: is not wanted. Leave it out", "3", "4"]


def test_workers_are_kept_between_calls_and_have_one_thread(workers):
    first = set(parallel_map(about_worker, range(20)))
    again = set(parallel_map(about_worker, range(20)))
    assert len(first | again) <= 2
    assert {threads for _, threads in first | again} == {"1"}
    assert os.getpid() not in {pid for pid, _ in first | again}


def test_a_later_call_may_want_more_workers():
    with Workers(ClusterConfig()) as workers:
        client = workers.start(1)
        assert workers.start(2) is client
        client.wait_for_workers(2, timeout=120)


def test_an_item_at_which_workers_die_is_named(workers):
    kept = list(parallel_map(die_on_two, range(4), title="squares", keep_errors=True))
    assert [result for result in kept if not isinstance(result, InputError)] == [0, 1, 3]
    assert isinstance(kept[2], WorkError)
    assert str(kept[2]).startswith("squares: 1 workers died while working on 2. They were killed")


class Killed:
    """A task that ended with the death of its worker."""

    def result(self):
        raise KilledWorker("task", None, 0)


def test_an_item_that_waited_where_a_worker_died_is_not_blamed():
    """Of the tasks that a death ends, the last is alone when it is looked at, not when it was at work."""
    tasks = Killed(), Killed()
    with Workers(ClusterConfig()) as workers:
        handout = _Handout(workers, 1, die_on_two, [0, 2], "squares")
        handout.running = {tasks[0]: [(0, 0)], tasks[1]: [(1, 2)]}
        for task in tasks:
            handout._take(task)
    assert list(handout.suspects) == [(0, 0), (1, 2)]
    assert handout.finished == {}


def test_another_error_is_raised_and_the_item_logged(workers, caplog):
    with pytest.raises(ZeroDivisionError):
        list(parallel_map(break_on_two, range(4), title="squares"))
    assert "squares: failed at 2" in caplog.text


def test_work_that_is_not_worth_a_worker_stays_here(workers):
    assert {pid for pid, _ in parallel_map(about_worker, range(3), worth=3)} == {os.getpid()}


def test_results_may_be_dropped_after_the_workers_have_ended():
    with use_cluster():
        results = parallel_map(slow_square, range(4), 2, worth=1)
        taken = [square for _, square in zip(range(4), results)]  # which does not ask for a fifth
    assert taken == [0, 1, 4, 9]
    results.close()


def test_a_generator_of_items_serves_too():
    assert list(parallel_map(slow_square, (n for n in (3, 1)))) == [9, 1]


def test_no_items_give_no_results():
    assert list(parallel_map(slow_square, [], 2)) == []


def test_work_in_this_process_starts_only_when_asked_for():
    seen = []
    results = parallel_map(seen.append, [1, 2, 3])
    assert seen == []
    next(results)
    assert seen == [1]


def test_the_bar_shows_the_title_and_the_end(capsys):
    list(parallel_map(slow_square, [1, 2], title="squares"))
    assert "squares: 100%" in capsys.readouterr().err
