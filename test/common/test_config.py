import pytest

from espnet2_valle.common.config import check_keys, read_yaml
from espnet2_valle.common.errors import InputError


def test_what_a_file_maps(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text("size: 3\nnested: {a: 1}\n")
    assert read_yaml(path, "--config") == {"size": 3, "nested": {"a": 1}}
    path.write_text("# nothing but this\n")
    assert read_yaml(path, "--config") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"conf\.yaml: cannot be read \(No such file or directory\)\. Correct --config"),
        (b"a: [", r"conf\.yaml: is not YAML"),
        (b"\xff\xfe\xfa", r"conf\.yaml: is not YAML"),
        (b"- 1\n", r"conf\.yaml: holds no keys"),
        (b"word", r"conf\.yaml: holds no keys"),
    ],
)
def test_files_that_map_nothing(tmp_path, content, message):
    if content is not None:
        (tmp_path / "conf.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_yaml(tmp_path / "conf.yaml", "--config")


def test_an_unknown_key_is_named_with_those_there_are():
    check_keys("here", {"b": 1}, ["a", "b"])
    with pytest.raises(InputError, match=r"here: there is no key 'c'\. Choose among a, b"):
        check_keys("here", {"a": 1, "c": 2}, ["b", "a"])
    with pytest.raises(InputError, match=r"there is no option 1\. Leave it out"):
        check_keys("here", {1: 2}, [], "option")
