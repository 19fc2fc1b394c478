import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.corpora import Source, sources, words_for_valle
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


@pytest.fixture
def several(recipe):
    """Folders of recordings beside the one that has a space in its name."""
    for name in ("so762-en", "more/my recordings", "sp0.9"):
        (recipe / name).mkdir(parents=True)
    return recipe


def named(settled):
    return [(source.name, source.corpus, source.db) for source in sources(settled["corpus"], settled["db"])]


def test_several_folders_are_several_corpora(several):
    given = settled(several, "--corpus", "folder", "--db", "so762-en 'my recordings' more/my\\ recordings")
    folders = [str(several / name) for name in ("so762-en", "my recordings", "more/my recordings")]
    names = ["so762_en", "my_recordings", "my_recordings_2"]
    assert named(given) == [(name, "folder", db) for name, db in zip(names, folders)]
    assert given["tag"] == "so762_en-my_recordings-my_recordings_2"
    assert make_options({"tag": given["tag"]}).tag == given["tag"]
    assert settled(several, "--corpus", "folder", "--db", "so762-en sp0.9", "--tag", "a")["tag"] == "a"


def test_one_folder_stays_one_whatever_its_name(several):
    assert settled(several, "--corpus", "folder", "--db", "my recordings")["corpus"] == "folder"
    assert sources("folder", "/my recordings") == sources("mini", "") == sources("vctk", "/a 'b") == []


def test_named_corpora_stand_beside_folders(several):
    folder, other = str(several / "so762-en"), str(several / "sp0.9")
    words = ["--corpus", "an4 folder"]
    both = settled(several, *words, "--db", "sp0.9 so762-en")
    assert named(both) == [("an4", "an4", other), ("so762_en", "folder", folder)]
    assert "download" not in both
    for db_sh in ({"AN4": "downloads"}, {}):
        fetched = settled(several, *words, "--db", "so762-en", **db_sh)
        place = str(several / "recipe" / "downloads" / "an4")
        assert named(fetched) == [("an4", "an4", place), ("so762_en", "folder", folder)]
        assert (fetched["download"], fetched["tag"]) == ("true", "an4-so762_en")
    from_db_sh = settled(
        several, "--corpus", "an4 vctk folder", AN4="../sp0.9", VCTK="..", FOLDER="../so762-en"
    )
    assert [name for name, _, _ in named(from_db_sh)] == ["an4", "vctk", "so762_en"]
    assert from_db_sh["tag"] == "an4-vctk-so762_en"


def test_names_of_corpora_are_told_apart():
    found = sources("folder folder folder vctk", "/a/x /b/x /c/x_2 /d")
    assert found == [
        Source("x", "folder", "/a/x"),
        Source("x_2", "folder", "/b/x"),
        Source("x_2_2", "folder", "/c/x_2"),
        Source("vctk", "vctk", "/d"),
    ]
    assert [source.name for source in sources("folder folder", "/a/\u6211\u7684 /b/a-b")] == ["folder", "a_b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["an4 folder", "a b c"],
            "--db: 3 folders for the 2 corpora an4 folder. Give each a folder, in their or",
        ),
        (["an4 folder vctk", "a b"], "or 1 for those called folder; quote a name with spaces"),
        (
            ["an4 vctk", "a"],
            "--db: 1 folders for the 2 corpora an4 vctk. Give each a folder, in their order, or n",
        ),
        (["an4 folder", "so762-en gone"], "--db: no such folder: gone"),
        (["folder", "so762-en gone"], "--db: no such folder: gone"),
        (["folder", "so762-en 'gone"], "--db: so762-en 'gone (No closing quotation). Close the quotes"),
        (["an4 nothing", ""], "--corpus: unknown corpus 'nothing'"),
        (["mini an4", ""], "--corpus: mini goes with no other. Leave it out of 'mini an4'"),
        (
            ["folder", "so762-en so762-en"],
            "so762-en is there twice. Leave one out: --corpus_weights draws it",
        ),
    ],
)
def test_several_corpora_that_cannot_be_are_named(several, words, message):
    corpus, db = words
    with pytest.raises(InputError) as caught:
        settled(several, "--corpus", corpus, "--db", db)
    assert message in str(caught.value)


def test_names_that_are_too_long_for_one_ask_for_a_tag(several):
    folders = [f"{letter * 60}" for letter in "ab"]
    for name in folders:
        (several / name).mkdir()
    words = ["--corpus", "folder", "--db", " ".join(folders)]
    with pytest.raises(InputError, match="the names of 2 corpora are too long for one. Add --tag NAME"):
        settled(several, *words)
    assert settled(several, *words, "--tag", "a")["tag"] == "a"


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
