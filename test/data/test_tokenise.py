import pytest

from espnet2_valle.common.errors import InputError
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


SEVERAL = "en=espeak_ng_english_us_vits de=espeak:de"


def in_two_languages(folder, languages="u1 en\nu2 de\n"):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    (folder / "text").write_text("u1 nine <lang=de>neun</lang>\nu2 neun\n", encoding="utf-8")
    if languages:
        (folder / "utt2lang").write_text(languages)
    tokenise.tokenize_set(
        str(folder),
        folder / "token",
        str(folder / "tokens.txt"),
        ("phn", SEVERAL, None, None),
        True,
        max_bad=0,
    )
    listed = (folder / "tokens.txt").read_text(encoding="utf-8").split("\n")
    ids = dict(line.split(" ", 1) for line in (folder / "token" / "token_int").read_text().splitlines())
    return {utterance: [listed[int(token)] for token in row.split()] for utterance, row in ids.items()}


def test_each_text_is_read_in_its_language(tmp_path):
    read = in_two_languages(tmp_path)
    assert read["u2"] == ["n", "ˈ", "ɔ", "ø", "n"]
    assert read["u1"] == ["n", "ˈ", "a", "ɪ", "n", "<space>", "n", "ˈ", "ɔ", "ø", "n"]


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        ("", "utt2lang: no such file, and --g2p names several languages"),
        ("u1 en\n", "utt2lang: has no line of 'u2'"),
        ("u1 en\nu2 pl\n", "1 utterances are of no language that --g2p names .*'u2' is 'pl'"),
    ],
)
def test_texts_whose_language_is_not_told_are_refused(tmp_path, languages, message):
    with pytest.raises(InputError, match=message):
        in_two_languages(tmp_path, languages)
