import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.text.reading import CURRENT, ESPNET, keep_reading, reading_of
from espnet2_valle.text.tokens import TokenIDs

TOKENS = st.lists(st.sampled_from([" ", "a", "b", "ˈ", "ː", "<space>", "中", "AA0"]), min_size=1)


def test_the_list_is_in_espnets_order():
    known = TokenIDs.collect([["b", "a", "b"], ["c", "<unk>"]])
    assert known.tokens == ["<blank>", "<unk>", "b", "a", "c", "<sos/eos>"]


@given(tokens=TOKENS)
def test_ids_lead_back_to_tokens_through_the_file(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    TokenIDs.collect([tokens]).write(path)
    known = TokenIDs.load(path)
    assert known.decode(known.encode(tokens)) == tokens
    assert len(known) == len(set(tokens)) + 3


def test_espnets_own_reader_gives_the_same_ids(tmp_path):
    from espnet2.text.token_id_converter import TokenIDConverter

    TokenIDs.collect([[" ", "a", "b"]]).write(tmp_path / "tokens.txt")
    theirs = TokenIDConverter(tmp_path / "tokens.txt")
    row = ["b", " ", "z", "a"]
    assert theirs.tokens2ids(row) == TokenIDs.load(tmp_path / "tokens.txt").encode(row)


def test_an_unknown_token_becomes_unk():
    known = TokenIDs.collect([["a"]])
    assert known.encode(["a", "z"]) == [2, known.unknown_id]


@pytest.mark.parametrize("tokens", [["z", "y"], []])
def test_a_text_without_a_known_symbol_is_named(tokens):
    known = TokenIDs(["<blank>", "<unk>", "a", "<sos/eos>"], "tokens.txt")
    with pytest.raises(InputError, match="utterance 'u1': text '中文' has no symbol that tokens.txt knows"):
        known.encode(tokens, "utterance 'u1'", "中文")


@pytest.mark.parametrize(
    ("tokens", "message"), [(["<unk>", "a", "a"], "token 'a' is there twice"), (["a"], "has no <unk>")]
)
def test_a_bad_list_is_named(tokens, message):
    with pytest.raises(InputError, match=f"tokens.txt: {message}"):
        TokenIDs(tokens, "tokens.txt")


def test_a_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such token list. Run stage 3"):
        TokenIDs.load(tmp_path / "tokens.txt")


def test_a_list_grows_before_its_last_token_and_ids_stay():
    known = TokenIDs.collect([["a", "b"]])
    longer = known.extended([["z", "a", "y", "z"]])
    assert longer.tokens == ["<blank>", "<unk>", "a", "b", "z", "y", "<sos/eos>"]
    assert longer.encode(["a", "b"]) == known.encode(["a", "b"])
    assert longer.extended([["z"]]).tokens == longer.tokens
    assert known.unknown(["z", "a"]) == ["z"]


def test_a_list_says_how_it_was_read(tmp_path):
    assert reading_of(tmp_path / "tokens.txt") == ESPNET
    keep_reading(tmp_path / "tokens.txt", CURRENT)
    assert reading_of(tmp_path / "tokens.txt") == CURRENT
