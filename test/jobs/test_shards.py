import json
import os

import pytest

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.jobs.shards import (
    Manifest,
    bad_row,
    cut,
    error_of,
    lasting,
    numbered_shards,
    shard_state,
    work_on_shards,
)


def half(number: int) -> int:
    if number % 2:
        raise InputError(str(number), "is odd", "Double it")
    return number // 2


def test_a_shard_is_done_for_what_it_was_made_of_only(tmp_path):
    manifest = Manifest(tmp_path / "manifest")
    assert not manifest.is_done(1, "mark")
    manifest.write(1, "mark", [["a", 1], {"b": "line\u2028separator"}])
    assert manifest.is_done(1, "mark")
    assert not manifest.is_done(1, "another")
    assert manifest.rows(1) == [["a", 1], {"b": "line\u2028separator"}]
    manifest.forget(1)
    assert not manifest.is_done(1, "mark")


def test_results_come_shard_by_shard_with_errors_in_place():
    shards = {2: [4, 5], 7: [6]}
    done = work_on_shards(half, shards.items())
    found = {number: [str(result) for result in results] for number, results in done}
    assert found == {2: ["2", "5: is odd. Double it"], 7: ["3"]}
    assert dict(work_on_shards(half, {}.items())) == {}


def test_shards_are_cut_and_taken_as_the_work_goes_on():
    taken = []

    def numbers():
        for number in range(0, 20, 2):
            taken.append(number)
            yield number

    done = work_on_shards(half, numbered_shards(numbers(), 4), total=10)
    assert next(done) == (1, [0, 1, 2, 3])
    assert taken == [0, 2, 4, 6]
    assert list(done) == [(2, [4, 5, 6, 7]), (3, [8, 9])]


def test_the_size_of_shards_is_known_from_the_first(tmp_path):
    manifest = Manifest(tmp_path)
    assert manifest.size() == 0
    manifest.write(1, "mark", [1, 2, 3])
    assert manifest.size() == 3


def test_an_error_goes_through_a_manifest():
    error = InputError("a.wav", "is empty", "Remove it")
    row = json.loads(json.dumps(bad_row(error)))
    assert str(error_of(row)) == str(error)
    assert error_of(["a.wav"]) is None


def test_a_shard_is_done_only_if_nothing_was_wrong_but_its_items(tmp_path):
    manifest = Manifest(tmp_path / "manifest")
    bad, died = (kind("a.wav", "is bad", "Mend it") for kind in (InputError, WorkError))
    for results, done in (([1, bad], True), ([1, bad, died], False)):
        manifest.write(1, lasting("mark", results), [1])
        assert manifest.is_done(1, "mark") == done
        assert manifest.rows(1) == [1]


@pytest.mark.parametrize(("size", "shards"), [(2, [[1, 2], [3]]), (3, [[1, 2, 3]]), (9, [[1, 2, 3]])])
def test_cutting(size, shards):
    assert cut([1, 2, 3], size) == shards


def test_what_earlier_versions_did_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = 1_700_000_000_123_456_789
    for name in "ab":
        (tmp_path / f"{name}.wav").write_text(f"sound of {name}")
        os.utime(f"{name}.wav", ns=(written, written))
    state = shard_state("codec", [("u1", "a.wav"), ("u2", "b.wav"), ("u3", "none.wav")])
    assert state == "24b496558a105140b2c6c6f0a385f883"
    manifest = Manifest("manifest")
    manifest.directory.mkdir()
    row = ["é", bad_row(InputError("a.wav", "is bad", "Mend it"))]
    content = '"mark"\n["a", 8, 3, 2]\n["\\u00e9", {"bad": ["a.wav", "is bad", "Mend it"]}]\n'
    manifest.path(1).write_text(content)
    manifest.path(2).write_text("null\n")
    assert [manifest.is_done(number, "mark") for number in (1, 2)] == [True, False]
    assert manifest.rows(1) == [["a", 8, 3, 2], row]
    manifest.write(3, "mark", manifest.rows(1))
    assert manifest.path(3).read_text() == content
