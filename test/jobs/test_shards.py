import json

import pytest

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.jobs.shards import (
    Manifest,
    bad_row,
    cut,
    error_of,
    file_state,
    fingerprint,
    lasting,
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
    found = {number: [str(result) for result in results] for number, results in work_on_shards(half, shards)}
    assert found == {2: ["2", "5: is odd. Double it"], 7: ["3"]}
    assert dict(work_on_shards(half, {})) == {}


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


def test_a_fingerprint_tells_parts_apart():
    assert fingerprint(["a", "b"]) == fingerprint(["a", "b"])
    assert len({fingerprint(parts) for parts in (["a", "b"], ["ab"], ["b", "a"], [])}) == 4


def test_the_state_of_a_file_changes_with_it(tmp_path):
    path = tmp_path / "a"
    absent = file_state(path)
    path.write_text("one")
    written = file_state(path)
    assert file_state(path) == written != absent
    path.write_text("four")
    assert file_state(path) != written
