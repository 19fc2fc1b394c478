"""A corpus is one file: the folder's files are the corpora there are."""

from pathlib import Path

import pytest
from corpus_layouts import sound

from espnet2_valle.bin import prepare_corpus
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus import named
from espnet2_valle.corpus.named import registry
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.recipe.command_line import settings_of
from espnet2_valle.recipe.corpora import words_for_valle

TOY = """
from espnet2_valle.corpus.abs_corpus import AbsCorpus, split_by_name
from espnet2_valle.corpus.recording import join


class Corpus(AbsCorpus):
    title = "Toy"
    home = "https://example.org/toy"
    language = "de"
    folder = "toy"
    parts = default_parts = ("train", "dev", "test")
    recipe_defaults = {"g2p": "espeak_ng_german"}

    def archives(self, parts):
        return []

    def is_root(self, path):
        return (path / "train").is_dir()

    def read(self, root, part):
        sounds = {path.stem: path for path in (root / part).glob("*.wav")}
        texts = {name: f"text {name}" for name in sounds}
        return join(texts, sounds, dict.fromkeys(sounds, "eva"), self.language, root)

    def split(self, found, seed):
        return split_by_name(found, seed)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """One more file in the folder of corpora, and the folder that it reads."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "toy.py").write_text(TOY)
    monkeypatch.setattr(named, "__path__", [*named.__path__, str(tmp_path / "code")])
    corpora = registry.find_corpora()
    monkeypatch.setattr(registry, "CORPORA", corpora)
    monkeypatch.setattr(prepare_corpus, "CORPORA", corpora)
    for part in ("train", "dev", "test"):
        for n in range(3):
            sound(tmp_path / "toy" / part / f"{part}{n}.wav")
    return tmp_path


def test_a_new_corpus_is_one_file(toy):
    assert "toy" in named.corpus_names()
    assert registry.recipe_defaults("toy") == {"g2p": "espeak_ng_german"}
    words = ["--corpus", "toy", "--db", str(toy), "--output_dir", str(toy / "data")]
    prepare_corpus.main(words)
    train = DataDir.load(toy / "data" / "train")
    assert list(train.texts.values()) == ["text train0", "text train1", "text train2"]
    assert set(train.languages.values()) == {"de"}
    assert (toy / "data" / "test" / "pairs").is_file()


def test_the_recipe_takes_it_with_its_defaults(toy):
    recipe = Path("/clone/egs2/valle")
    words = words_for_valle(["--corpus", "toy"], toy, recipe, {})  # db.sh says nothing of it
    assert words == [
        *("--corpus", "toy"),
        *("--db", "/clone/egs2/valle/downloads/toy"),
        *("--download", "true"),
        *("--tag", "toy"),
    ]
    assert settings_of(words).options.g2p == "espeak_ng_german"


def test_only_corpora_are_listed():
    assert named.corpus_names() == [
        "aishell3",
        "an4",
        "emovdb",
        "esd",
        "libriheavy",
        "librilight",
        "librispeech",
        "librispeech_test",
        "libritts",
        "libritts_r",
        "ljspeech",
        "speechocean762",
        "vctk",
    ]


def test_what_a_corpus_wants_from_the_recipe():
    assert registry.recipe_defaults("ljspeech") == {}
    assert registry.recipe_defaults("librispeech_test") == {"train_set": "", "valid_set": ""}
    assert registry.recipe_defaults("aishell3") == {
        "g2p": "pypinyin_g2p_phone_without_prosody",
        "score_config": "../../conf/score/aishell3.yaml",
    }
    with pytest.raises(InputError, match="--corpus: there is no 'libritss'. .*did you mean 'libritts'"):
        registry.recipe_defaults("libritss")
