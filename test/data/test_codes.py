import kaldiio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.codes import CodeWriter, ShardedCodes, read_codes


def matrix(rows, columns=4, seed=0):
    return np.random.default_rng(seed).integers(0, 1024, (rows, columns)).astype(np.int16)


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.integers(0, 9), min_size=1, max_size=5), columns=st.integers(1, 9))
def test_what_is_written_is_read(tmp_path_factory, rows, columns):
    folder = tmp_path_factory.mktemp("codes")
    items = {f"utt{i}": matrix(count, columns, i) for i, count in enumerate(rows)}
    with CodeWriter(folder) as writer:
        for key, codes in items.items():
            writer[key] = codes
    found = read_codes(folder / "codes.scp")
    assert list(found) == list(items)
    for key, codes in items.items():
        assert found[key].dtype == np.int16
        np.testing.assert_array_equal(found[key], codes)
    shapes = [f"{key} {codes.shape[0]},{codes.shape[1]}" for key, codes in items.items()]
    assert (folder / "codes_shape").read_text().splitlines() == shapes


def test_kaldiio_reads_the_index(tmp_path):
    with CodeWriter(tmp_path) as writer:
        writer["a"], writer["b"] = matrix(3), matrix(5)
    np.testing.assert_array_equal(kaldiio.load_scp(str(tmp_path / "codes.scp"))["b"], matrix(5))


def test_a_moved_folder_is_still_read(tmp_path):
    with CodeWriter(tmp_path / "old") as writer:
        writer["a"] = matrix(3)
    (tmp_path / "old").rename(tmp_path / "new")
    np.testing.assert_array_equal(read_codes(tmp_path / "new" / "codes.scp")["a"], matrix(3))


def test_an_error_while_writing_leaves_nothing(tmp_path):
    def fail():
        with CodeWriter(tmp_path / "out") as writer:
            writer["a"] = matrix(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "codes", [np.zeros((2, 3)), np.zeros(3, dtype=int), np.full((2, 2), 40000)], ids=["float", "flat", "big"]
)
def test_what_are_no_codes(tmp_path, codes):
    with pytest.raises(ValueError, match="codes of a"), CodeWriter(tmp_path) as writer:
        writer["a"] = codes


def test_a_shard_is_done_only_for_what_it_was_made_of(tmp_path):
    shards = ShardedCodes(tmp_path)
    assert not shards.is_done(1, "mark")
    shards.write(1, "mark", {"a": matrix(3)})
    assert shards.is_done(1, "mark")
    assert not shards.is_done(1, "another mark")
    shards.ark(1).unlink()
    assert not shards.is_done(1, "mark")


def test_fewer_shards_leave_no_old_one(tmp_path):
    shards = ShardedCodes(tmp_path)
    for number in (1, 2, 3):
        shards.write(number, "mark", {f"utt{number}": matrix(number)})
    shards.finish(3)
    assert list(read_codes(tmp_path / "codes.scp")) == ["utt1", "utt2", "utt3"]
    shards.finish(1)
    assert list(read_codes(tmp_path / "codes.scp")) == ["utt1"]
    assert sorted(path.name for path in tmp_path.glob("*.ark")) == ["codes.1.ark"]


def test_a_missing_or_broken_index_is_told(tmp_path):
    with pytest.raises(InputError, match="no such index of codes"):
        read_codes(tmp_path / "codes.scp")
    (tmp_path / "codes.scp").write_text("a x.ark:2\nb x.ark\n")
    with pytest.raises(InputError, match="line 2 is not"):
        read_codes(tmp_path / "codes.scp")


def test_a_missing_or_broken_ark_names_the_utterance(tmp_path):
    with CodeWriter(tmp_path) as writer:
        writer["a"] = matrix(300)
    ark = tmp_path / "codes.1.ark"
    ark.write_bytes(ark.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot read the codes of a"):
        read_codes(tmp_path / "codes.scp")["a"]
    ark.unlink()
    with pytest.raises(InputError, match="cannot read the codes of a"):
        read_codes(tmp_path / "codes.scp")["a"]


def test_codes_of_another_kind_are_refused(tmp_path):
    kaldiio.save_ark(
        str(tmp_path / "x.ark"), {"a": np.zeros((2, 2), dtype=np.float32)}, str(tmp_path / "x.scp")
    )
    with pytest.raises(InputError, match="not an int16 matrix"):
        read_codes(tmp_path / "x.scp")["a"]


def test_utterances_without_codes_are_remembered_and_not_listed(tmp_path):
    shards = ShardedCodes(tmp_path)
    error = InputError("b.wav", "is empty", "Remove it")
    shards.write(1, "mark", {"a": matrix(3)}, {"b": error})
    shards.write(2, "mark", {"c": matrix(2)})
    shards.finish(2)
    assert list(read_codes(tmp_path / "codes.scp")) == ["a", "c"]
    assert {key: str(found) for key, found in shards.bad(1).items()} == {"b": str(error)}
    assert shards.bad(2) == {}


def test_what_a_killed_writer_left_is_removed_in_the_end(tmp_path):
    shards = ShardedCodes(tmp_path)
    shards.write(1, "mark", {"a": matrix(3)})
    names = {path.name for path in tmp_path.rglob("*")}
    for folder in (tmp_path, tmp_path / "manifest"):
        (folder / ".unfinished.codes.1.x.ark").write_bytes(b"half")
    shards.finish(1)
    assert {path.name for path in tmp_path.rglob("*")} == names | {"codes.scp", "codes_shape"}
