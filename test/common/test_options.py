import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys


def test_an_unknown_key_is_named_with_those_there_are():
    check_keys("here", {"b": 1}, ["a", "b"])
    with pytest.raises(InputError, match=r"here: there is no key 'c'\. Choose among a, b"):
        check_keys("here", {"a": 1, "c": 2}, ["b", "a"])
    with pytest.raises(InputError, match=r"there is no option 1\. Leave it out"):
        check_keys("here", {1: 2}, [], "option")
