import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import Journal, digest, file_state, is_done, mark_done

WRITTEN = 1_700_000_000_123_456_789  # when, in ns
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


def test_a_digest_tells_parts_apart():
    assert digest(["a", "b"]) == digest(["a", "b"])
    assert len({digest(parts) for parts in (["a", "b"], ["ab"], ["b", "a"], [])}) == 4


def test_digests_are_those_of_earlier_versions():
    assert digest(["é", "b"]) == "7148cd8e7e8f217e0014f9cf850c20d9"
    assert digest([]) == "e3b0c44298fc1c149afbf4c8996fb924"
    assert digest(["é text"], "sha1", digits=12) == "c7913132a9f4"


def test_texts_and_bytes_are_joined():
    assert digest(["a", b"b", "c"], separator="-") == digest(["a-b-c"]) == digest([b"a-b-c"])
    assert len(digest(["a"], "sha1", digits=40)) == 40


def test_the_state_of_a_file_changes_with_it(tmp_path, monkeypatch):
    path = tmp_path / "a"
    absent = file_state(path)
    path.write_text("one")
    written = file_state(path)
    assert file_state(path) == written != absent
    path.write_text("four")
    assert file_state(path) != written
    os.utime(path, ns=(WRITTEN, WRITTEN))
    monkeypatch.chdir(tmp_path)
    assert (file_state("a"), file_state("b")) == (f"a 4 {WRITTEN}", "b absent")  # as in earlier versions


@pytest.mark.parametrize("state", ["", "a text\n", {"option": [1, 0.5, None]}, ["é"], 3])
def test_a_marker_is_of_one_state(tmp_path, state):
    marker = tmp_path / "deep" / ".done"
    assert not is_done(marker, state)
    mark_done(marker, state)
    assert is_done(marker, state)
    assert not any(is_done(marker, other) for other in ("another", {"option": []}, None))
    assert [path.name for path in marker.parent.iterdir()] == [".done"]


def test_a_damaged_marker_marks_nothing(tmp_path):
    (tmp_path / ".done").write_text('{"a": ')
    assert not is_done(tmp_path / ".done", {"a": 1})


def test_the_order_of_options_is_no_part_of_their_state(tmp_path):
    (tmp_path / "options.json").write_text('{"b": 2, "a": 1}')
    assert is_done(tmp_path / "options.json", {"a": 1, "b": 2})


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5), st.lists(VALUES, min_size=1, max_size=3), st.booleans(), st.data())
def test_any_cut_loses_no_more_than_the_last_line(tmp_path_factory, rows, more, ensure_ascii, data):
    path = tmp_path_factory.mktemp("cut") / "journal"
    for row in rows:
        with Journal(path, ensure_ascii) as journal:
            journal.append(row)
    whole = path.read_bytes() if rows else b""
    lines = whole.splitlines(keepends=True) if ensure_ascii else whole.split(b"\n")[:-1]
    assert len(lines) == len(rows)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    left = Journal(path, ensure_ascii).rows()
    assert left == rows[: whole[:cut].count(b"\n")]
    with Journal(path, ensure_ascii) as journal:  # and goes on
        journal.append(*more[:1])
        journal.append(*more[1:])
    assert Journal(path, ensure_ascii).rows() == [*left, *more]


@settings(deadline=None)
@given(st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=5))
def test_a_rewritten_journal_can_be_appended_to(tmp_path_factory, rows, others):
    journal = Journal(tmp_path_factory.mktemp("rewritten") / "journal")
    with journal:
        journal.append("before")
        journal.rewrite(rows)
        journal.append(*others)
    assert journal.rows() == [*rows, *others]
    assert len(list(journal.path.parent.iterdir())) == 1


def test_appended_rows_are_there_at_once(tmp_path):
    with Journal(tmp_path / "deep" / "journal") as journal:
        journal.append({"p1": ["ok", 1]}, ["é\u2028"])
        assert Journal(journal.path).rows() == [{"p1": ["ok", 1]}, ["é\u2028"]]


def test_a_rewriting_that_is_broken_off_changes_nothing(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.rewrite(["old"])

    def rows():
        yield "new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.rewrite(rows())
    assert journal.rows() == ["old"]


@pytest.mark.parametrize(("content", "begins"), [('"a"\n["x"]\n', True), ('"a"', False), ('"b"\n', False)])
def test_the_first_row_tells_what_the_others_are_of(tmp_path, content, begins):
    journal = Journal(tmp_path / "journal")
    assert not journal.begins_with("a")
    journal.path.write_text(content)
    assert journal.begins_with("a") == begins


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "journal"
    path.write_text('{"a": 1}\n{"b": \n{"c": 3}\n')
    with pytest.raises(InputError, match=r"journal:2: is damaged .*Remove the file and run again"):
        Journal(path).rows()


def test_a_journal_that_is_not_there_has_no_rows(tmp_path):
    assert Journal(tmp_path / "journal").rows() == []
    assert not Path(tmp_path / "journal").exists()


def test_letters_are_kept_where_asked(tmp_path):
    for ensure_ascii, line in ((True, '["\\u00e9"]\n'), (False, '["é"]\n')):
        journal = Journal(tmp_path / "journal", ensure_ascii)
        journal.rewrite([["é"]])
        assert journal.path.read_text() == line
        assert json.loads(line) == journal.rows()[0]
