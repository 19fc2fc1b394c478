import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.tables import Subset, Table, Values, in_order, matched, unmatched

KEYS = st.text("ab-é中Z0", min_size=1, max_size=4)


def write(path, entries):
    path.write_text("".join(f"{key} {value}\n" for key, value in entries), encoding="utf-8")
    return path


@given(keys=st.lists(KEYS, unique=True))
def test_a_table_in_any_order_is_read_in_order(tmp_path_factory, keys):
    entries = [(key, f"value of {key}") for key in keys]
    table = Table(write(tmp_path_factory.mktemp("table") / "text", entries))
    for _ in range(2):  # as often as asked
        assert list(table) == sorted(entries)
    assert len(table) == len(entries)
    assert list(table.names()) == sorted(keys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1\na 2\n", r"scp:2: 'a' is there twice"),
        (b"b 1\na 1\nb 2\n", r"scp:3: 'b' is there twice"),
        (b"a 1\n\nb  \n", r"scp:3: 'b' has no value"),
        (b"a \xff\xfe\n", "not UTF-8"),
    ],
)
def test_a_table_at_fault_is_told_at_once(tmp_path, content, message):
    (tmp_path / "scp").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Table(tmp_path / "scp")
    with pytest.raises(InputError, match="no such file"):
        Table(tmp_path / "nothing")


def test_marks_line_ends_and_spaces_of_a_table_are_no_part_of_it(tmp_path):
    (tmp_path / "text").write_bytes("\ufeffa  one\ttwo \r\n \r\nb three".encode())
    assert list(Table(tmp_path / "text")) == [("a", "one\ttwo"), ("b", "three")]


def test_a_subset_has_the_chosen_keys_that_the_table_has(tmp_path):
    table = Table(write(tmp_path / "wav.scp", [("a", "1"), ("b", "2"), ("d", "4")]))
    chosen = Table(write(tmp_path / "token_int", [("d", "x"), ("b", "x"), ("c", "x")]))
    assert (list(Subset(table, chosen)), len(Subset(table, chosen))) == ([("b", "2"), ("d", "4")], 2)


@given(rows=st.lists(st.tuples(KEYS, st.integers(0, 9))))
def test_rows_are_sorted_by_their_first_column_alone(rows):
    assert list(in_order(lambda: rows, 2)) == sorted(rows, key=lambda row: row[0])


@given(wanted=st.lists(KEYS, unique=True), others=st.lists(KEYS))
def test_rows_of_the_same_key_are_found(wanted, others):
    found = matched([(key,) for key in sorted(wanted)], [(key, n) for n, key in enumerate(sorted(others))])
    assert {row[0]: len(rows) for row, rows in found} == {key: others.count(key) for key in wanted}


@given(first=st.sets(KEYS), second=st.sets(KEYS))
def test_keys_of_one_side_only_are_told(first, second):
    assert list(unmatched(sorted(first), sorted(second))) == sorted(first ^ second)


@given(keys=st.lists(KEYS, unique=True, min_size=1))
def test_values_are_read_by_their_places(tmp_path_factory, keys):
    path = tmp_path_factory.mktemp("table") / "wav.scp"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(f"{key}  /x/{key} y.wav \r\n\n" for key in keys).encode())
    values, expected = Values(Table(path)), [f"/x/{key} y.wav" for key in sorted(keys)]
    assert [values[place] for place in range(len(values))] == list(values) == values[:] == expected
    assert values[-1] == expected[-1]
    with pytest.raises(IndexError):
        values[len(keys)]
