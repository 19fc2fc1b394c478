import pytest

from espnet2_valle.data import tokenise

MANIFEST = '"24a5c18986521b4fa6db665aa447ec58"\n["a", "<space>", "b"]\n["b", "<space>", "\\u00e9"]\n'
TEXTS = {"u1": "a b", "u2": "b é"}
CHOICE = ("char", None, None, None)


def tokens(folder, texts=TEXTS, choice=CHOICE):
    return dict(tokenise.tokenize_all(texts, choice, folder, 1))


def test_what_an_earlier_version_tokenised_is_done(tmp_path, monkeypatch):
    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest" / "shard.1").write_text(MANIFEST)
    monkeypatch.setattr(tokenise, "tokenize", lambda *_, **__: pytest.fail("tokenised again"))
    assert tokens(tmp_path) == {"u1": ["a", "<space>", "b"], "u2": ["b", "<space>", "é"]}


def test_other_texts_are_tokenised_again(tmp_path):
    tokens(tmp_path)
    assert (tmp_path / "manifest" / "shard.1").read_text() == MANIFEST
    assert tokens(tmp_path, {"u1": "ab", "u2": "b é"})["u1"] == ["a", "b"]
    assert (tmp_path / "manifest" / "shard.1").read_text() != MANIFEST
