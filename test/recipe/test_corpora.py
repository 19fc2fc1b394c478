import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.corpora import words_for_valle
from espnet2_valle.recipe.options import read_words


@pytest.fixture
def recipe(tmp_path):
    """The folder from which run.sh is called: the recipe and recordings lie in it."""
    (tmp_path / "recipe").mkdir()
    (tmp_path / "my recordings").mkdir()
    return tmp_path


def settled(recipe, *words, **db_sh):
    return read_words(words_for_valle(words, recipe, recipe / "recipe", db_sh))


def test_the_embedded_corpus_needs_nothing(recipe):
    assert settled(recipe) == {"corpus": "mini", "tag": "mini"}
    assert settled(recipe, "--tag=a", "--stage", "3") == {"corpus": "mini", "tag": "a", "stage": "3"}


def test_a_link_keeps_its_name(recipe):
    (recipe / "link").symlink_to(recipe / "my recordings")
    db = str(recipe / "link")
    assert settled(recipe, "--corpus", "folder", "--db", "link/", "--tag", "a")["db"] == db


def test_a_folder_names_the_run(recipe):
    db = str(recipe / "my_recordings")
    (recipe / "my recordings").rename(db)
    expected = {"corpus": "folder", "db": db, "tag": "my_recordings"}
    assert settled(recipe, "--corpus", "folder", "--db", "my_recordings") == expected
    assert settled(recipe, "--corpus", "folder", FOLDER="../my_recordings") == expected


def test_a_named_corpus_lies_where_db_sh_says_or_is_downloaded(recipe):
    db = str(recipe / "my recordings")
    assert settled(recipe, "--corpus=vctk", "--db", db)["db"] == db
    assert settled(recipe, "--corpus=vctk", VCTK="../my recordings")["db"] == db
    for known in ({"VCTK": "downloads"}, {}):
        fetched = settled(recipe, "--corpus=vctk", **known)
        assert (fetched["db"], fetched["download"]) == (str(recipe / "recipe" / "downloads" / "vctk"), "true")


def test_options_of_the_user_go_on_as_they_are(recipe):
    words = settled(
        recipe, "--ar_args", "--max_epoch 5", "--local-data-opts", "it's\nmine", "--download", "false"
    )
    assert words["ar_args"] == "--max_epoch 5"
    assert words["local_data_opts"] == "it's\nmine"
    assert words_for_valle(["--stage", "2", "-h"], recipe, recipe, {}) == ["--help"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--corpus", "nothing"], "--corpus: unknown corpus 'nothing'. See ./run.sh --help"),
        (["--corpus", "registry"], "--corpus: unknown corpus 'registry'"),
        (["--corpus", "../named/vctk"], "--corpus: unknown corpus '../named/vctk'"),
        (["--corpus", "folder"], "which folder? Give --db DIR"),
        (["--corpus", "folder", "--db", "gone"], "--db: no such folder: gone"),
        (
            ["--corpus", "vctk"],
            "--corpus vctk: its folder is not known. Give --db DIR, or fill VCTK in db.sh",
        ),
        (["--db", "/tmp"], "--db: mini has no folder; add --corpus folder"),
        (["--no", "1"], "./run.sh: unknown option '--no'"),
    ],
)
def test_what_cannot_be_settled_is_named(recipe, words, message):
    with pytest.raises(InputError) as caught:
        settled(recipe, *words, VCTK="", FOLDER="")
    assert message in str(caught.value)
