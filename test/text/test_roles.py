"""Which tokens take time."""

import pytest

from espnet2_valle.text.roles import Role, role, roles


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["s", "ɛ", "θ", "AH0", "a", "é", "7", "ni3", "▁the", "<unk>", "你"], Role.SOUND),
        (["<space>", ",", ".", "?", "...", "<sos/eos>", "▁", "、"], Role.PAUSE),
        (["ˈ", "ˌ", "ː"], Role.MARK),
    ],
)
def test_roles(tokens, expected):
    assert {token: role(token) for token in tokens} == dict.fromkeys(tokens, expected)
    assert roles(tokens).tolist() == [expected] * len(tokens)
