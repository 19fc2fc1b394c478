import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.corpora import words_for_valle
from espnet2_valle.recipe.options import make_options, read_words


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


@pytest.mark.parametrize(
    ("folder", "tag"),
    [("my recordings", "my_recordings"), ("caf\u00e9", "cafe"), ("cafe\u0301", "cafe"), ("a (1)", "a_1")]
    + [(".voice", "voice"), ("a&b;$x", "a_b_x"), ("-n", "n"), ("_x_", "x"), ("v1.0-rc", "v1.0-rc")]
    + [("voice.", "voice."), ("my_", "my_")],
)
def test_a_folder_whose_name_no_tag_can_be_gives_one(recipe, capfd, folder, tag):
    (recipe / folder).mkdir(exist_ok=True)
    assert settled(recipe, "--corpus", "folder", "--db", str(recipe / folder))["tag"] == tag
    assert make_options({"tag": tag}).tag == tag
    assert (f"the run of '{folder}' is called {tag}; --tag" in capfd.readouterr().err) == (folder != tag)


def test_a_folder_of_other_letters_asks_for_a_tag(recipe):
    (recipe / "\u6211\u7684 voice").mkdir()
    words = ["--corpus", "folder", "--db", "\u6211\u7684 voice"]
    with pytest.raises(InputError, match="cannot name the run. Add --tag NAME, of Latin letters"):
        settled(recipe, *words)
    assert settled(recipe, *words, "--tag", "a")["tag"] == "a"


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
