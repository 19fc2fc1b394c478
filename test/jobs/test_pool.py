import time

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.jobs.pool import parallel_map


def slow_square(number: int) -> int:
    time.sleep(0.02 if number == 0 else 0)  # the first item ends last
    return number * number


def fail_on_two(number: int) -> int:
    if number == 2:
        raise InputError("two", "is not wanted", "Leave it out")
    return number


@pytest.mark.parametrize("nj", [1, 2])
def test_results_come_in_the_order_of_the_items(nj):
    assert list(parallel_map(slow_square, range(7), nj)) == [n * n for n in range(7)]


@pytest.mark.parametrize("nj", [1, 2])
def test_an_error_of_the_function_reaches_the_caller_whole(nj):
    with pytest.raises(InputError, match="two: is not wanted. Leave it out") as caught:
        list(parallel_map(fail_on_two, range(5), nj))
    assert caught.value.remedy == "Leave it out"


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
