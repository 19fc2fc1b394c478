import pytest

from espnet2_valle.data import tokenise
from espnet2_valle.data.setaside import SetAside

MANIFEST = '"24a5c18986521b4fa6db665aa447ec58"\n["a", "<space>", "b"]\n["b", "<space>", "\\u00e9"]\n'
TEXTS = {"u1": "a b", "u2": "b é"}
CHOICE = ("char", None, None, None)


def tokens(folder, texts=TEXTS, choice=CHOICE):
    tokenise.tokenize_all(texts.items(), choice, folder, 1)
    read = tokenise.read_tokens(texts.items(), folder, SetAside(len(texts), 0, "texts"))
    return {key: row for key, _, row in read}


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


def test_texts_are_read_shard_by_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenise, "SHARD_TEXTS", 3)
    texts = {f"u{number}": f"text {number}" for number in range(8)}
    expected = {
        key: ["<space>" if letter == " " else letter for letter in text] for key, text in texts.items()
    }
    assert tokens(tmp_path, texts) == expected
    assert len(list((tmp_path / "manifest").iterdir())) == 3
    done = []
    real = tokenise.tokenize
    monkeypatch.setattr(tokenise, "tokenize", lambda text, choice: done.append(text) or real(text, choice))
    (tmp_path / "manifest" / "shard.2").unlink()
    assert tokens(tmp_path, texts) == expected
    assert done == ["text 3", "text 4", "text 5"]
