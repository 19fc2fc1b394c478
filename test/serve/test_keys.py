"""Keys, and who passes without one."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.serve.keys import Keys, check_binding, identify
from espnet2_valle.serve.refusal import Refusal

KEYS = Keys({"lab": "l" * 24, "web": "w" * 24})
LOCAL = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.9", None])
def test_a_key_opens_from_anywhere(peer):
    headers = {"authorization": f"Bearer {'w' * 24}", "host": "example.org", "x-forwarded-for": "1.2.3.4"}
    assert identify(KEYS, peer, headers) == "key web"
    assert identify(KEYS, peer, {}, key="l" * 24) == "key lab"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000"])
def test_programs_of_this_machine_need_none(host):
    assert identify(KEYS, "127.0.0.1", {"host": host}) == "address 127.0.0.1"
    assert identify(Keys(), "::1", {"host": host, "authorization": "Bearer any"}) == "address ::1"


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("10.0.0.9", LOCAL, 401),
        (None, LOCAL, 401),
        ("127.0.0.1", {**LOCAL, "authorization": "Bearer wrong"}, 401),
        ("127.0.0.1", {**LOCAL, "x-forwarded-for": "1.2.3.4"}, 401),
        ("127.0.0.1", {**LOCAL, "forwarded": "for=1.2.3.4"}, 401),
        ("127.0.0.1", {"host": "rebound.example.org"}, 401),
        ("127.0.0.1", {}, 401),
        ("127.0.0.1", {**LOCAL, "origin": "https://evil.example.org"}, 403),
        ("127.0.0.1", {**LOCAL, "origin": "null"}, 403),
    ],
)
def test_others_are_refused(peer, headers, status):
    with pytest.raises(Refusal) as refused:
        identify(KEYS, peer, headers)
    assert refused.value.status == status


def test_a_page_of_the_service_itself_passes():
    assert identify(Keys(), "127.0.0.1", {**LOCAL, "origin": "http://127.0.0.1:8000"})


def test_keys_are_read_from_a_file(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# holders\n\nlab {'l' * 24}\n")
    assert Keys.load(file).holder("l" * 24) == "lab"
    assert Keys.load(file).holder("x") is None


@pytest.mark.parametrize("content", ["", "lab short\n", "lab\n", f"a {'k' * 24}\na {'j' * 24}\n", "a b c\n"])
def test_a_file_without_proper_keys_is_refused(content, tmp_path):
    (tmp_path / "keys").write_text(content)
    with pytest.raises(InputError, match="openssl"):
        Keys.load(tmp_path / "keys")


def test_others_are_served_with_keys_alone():
    for host in ("127.0.0.1", "localhost", "::1"):
        check_binding(host, Keys())
    check_binding("0.0.0.0", KEYS)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        with pytest.raises(InputError, match="no keys"):
            check_binding(host, Keys())
