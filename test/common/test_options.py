from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import build, check_keys, load
from espnet2_valle.common.registry import Component


@dataclass(frozen=True)
class Inner:
    level: float = 0.0
    words: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        if self.level > 9:
            raise InputError("level", f"{self.level} is out of range", "Lower it")


@dataclass(frozen=True)
class Options:
    title: str
    count: int = 1
    ratio: float = 1.0
    fast: bool = False
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    anything: Mapping[str, Any] = field(default_factory=dict)
    judge: Component = Component("none")
    path: str = ""


def test_an_unknown_key_is_named_with_those_there_are():
    check_keys("here", {"b": 1}, ["a", "b"])
    with pytest.raises(InputError, match=r"here: there is no key 'c'\. Choose among a, b$"):
        check_keys("here", {"a": 1, "c": 2}, ["b", "a"])
    with pytest.raises(InputError, match=r"Choose among title, top; the nearest is 'title'$"):
        check_keys("here", ["tittle"], ["title", "top"])
    with pytest.raises(InputError, match=r"there is no option 1\. Leave it out"):
        check_keys("here", {1: 2}, [], "option")


def written(folder, content):
    path = folder / "conf.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_file_is_a_dataclass(tmp_path):
    path = written(
        tmp_path,
        "title: a\ncount: 3\nratio: 2\nlimit: 4\ninner: {level: 1.5, words: [3, 4]}\n"
        "many: [{}, {level: 2}]\nweights: {x: 1}\nanything: {y: [1, z]}\njudge: {name: ear, size: 2}\n",
    )
    assert load(Options, path, path="there") == Options(
        title="a",
        count=3,
        ratio=2,
        limit=4,
        inner=Inner(1.5, (3, 4)),
        many=(Inner(), Inner(2)),
        weights={"x": 1},
        anything={"y": [1, "z"]},
        judge=Component("ear", (("size", 2),)),
        path="there",
    )


def test_what_is_left_empty_is_the_default(tmp_path):
    assert load(Options, written(tmp_path, "title: a\ninner:\nmany:\nweights:\nlimit:\n")) == Options("a")


def test_numbers_stay_as_they_were_written(tmp_path):
    """Digests are made of them."""
    assert repr(load(Options, written(tmp_path, "{title: a, ratio: 2}")).ratio) == "2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuont": 2}, "there is no key 'cuont'. Choose among .*; the nearest is 'count'"),
        ({"path": "a"}, "there is no key 'path'"),  # the caller says it
        ({"count": "many"}, "count is 'many'. Write a whole number"),
        ({"count": 2.5}, "count is 2.5. Write a whole number"),
        ({"count": True}, "count is True. Write a whole number"),
        ({"count": None}, "count is None. Write a whole number"),
        ({"ratio": "1e3"}, "ratio is '1e3'. Write a number"),
        ({"ratio": False}, "ratio is False. Write a number"),
        ({"fast": 1}, "fast is 1. Write true or false"),
        ({"title": 5}, "title is 5. Write text, in quotes"),
        ({"limit": "no"}, "limit is 'no'. Write a whole number"),
        ({"inner": 3}, "inner is 3. Write `key: value` lines below it"),
        ({"inner": {"levl": 3}}, "inner: there is no key 'levl'.*'level'"),
        ({"inner": {"level": "loud"}}, "inner.level is 'loud'. Write a number"),
        ({"inner": {"level": 10}}, "inner.level: 10 is out of range. Lower it"),
        ({"inner": {"words": [1, 2, 3]}}, r"inner.words is \[1, 2, 3\]. Write a list of 2"),
        ({"many": {"level": 3}}, "many is {'level': 3}. Write a list"),
        ({"many": [{}, {"level": "loud"}]}, r"many\[1\].level is 'loud'. Write a number"),
        ({"many": [{}, 4]}, r"many\[1\] is 4. Write `key: value` lines"),
        ({"weights": ["x"]}, r"weights is \['x'\]. Write `key: value` lines"),
        ({"weights": {"x": "heavy"}}, "weights.x is 'heavy'. Write a number"),
        ({"judge": [1]}, r"judge: '\[1\]' is no scorer"),
        ({"judge": None}, "judge: 'None' is no scorer"),
    ],
)
def test_an_entry_at_fault_is_named_with_its_file_and_a_remedy(tmp_path, change, message):
    path = written(tmp_path, {"title": "a", **change})
    with pytest.raises(InputError, match=f"{path}: {message}"):
        load(Options, path, path="there")


def test_a_missing_key_is_named(tmp_path):
    path = written(tmp_path, "count: 2\n")
    with pytest.raises(InputError, match=f"{path}: lacks the key 'title'. Compare with conf/x.yaml"):
        load(Options, path, example="conf/x.yaml")
    with pytest.raises(InputError, match="section: lacks the key 'title'. Add it"):
        build(Options, {}, "section")
    with pytest.raises(InputError, match="gone.yaml: cannot be read .*Correct --speed"):
        load(Options, tmp_path / "gone.yaml", "--speed")


def test_an_error_that_names_the_file_already_is_left_alone():
    @dataclass(frozen=True)
    class Own:
        path: str

        def __post_init__(self) -> None:
            raise InputError(self.path, "is at fault", "Correct it")

    with pytest.raises(InputError, match=r"^a\.yaml: is at fault"):
        build(Own, {}, "a.yaml", path="a.yaml")
