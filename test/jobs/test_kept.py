import pytest

from espnet2_valle.jobs.kept import kept_map


def test_only_what_is_new_or_has_changed_is_made(tmp_path):
    made = []

    def double(number):
        made.append(number)
        return 2 * number

    def run(items, states):
        return kept_map(double, items, states, tmp_path / "kept.jsonl", 1, "double")

    assert run({"a": 1, "ä": 2}, {"a": "s", "ä": "s"}) == {"a": 2, "ä": 4}
    assert run({"ä": 2, "a": 1}, {"a": "s", "ä": "s"}) == {"ä": 4, "a": 2}
    assert made == [1, 2]
    assert run({"a": 5, "c": 3}, {"a": "other", "c": "s"}) == {"a": 10, "c": 6}
    assert made == [1, 2, 5, 3]


def test_what_was_made_before_an_error_is_kept(tmp_path):
    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        return number

    states = dict.fromkeys("ab", "s")
    with pytest.raises(ValueError, match="three"):
        kept_map(fail_at_three, {"a": 1, "b": 3}, states, tmp_path / "kept.jsonl", 1, "")
    again = kept_map(lambda number: -number, {"a": 1, "b": 3}, states, tmp_path / "kept.jsonl", 1, "")
    assert again == {"a": 1, "b": -3}
