"""Corpus, folder and name of a run: `run.sh --corpus --db --tag` in the words of valle.sh.

Standard library only: corpora are named before anything is installed.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus import named
from espnet2_valle.recipe.options import HELP, TAG, read_words

SCRIPT = "./run.sh"
MINI, FOLDER = "mini", "folder"
DOWNLOADS = "downloads"  # in db.sh


def words_for_valle(
    words: Sequence[str], called_from: Path, recipe: Path, environment: Mapping[str, str]
) -> list[str]:
    """The words of run.sh with corpus, folder and name of the run settled.

    Args:
        words: of run.sh.
        called_from: folder that `--db` is relative to.
        recipe: folder of run.sh, which what db.sh says is relative to.
        environment: where the variables of db.sh are.

    Raises:
        InputError: no such option, corpus or folder, or none given where one is needed.
    """
    if HELP & {*words}:
        return ["--help"]
    given = read_words(words, SCRIPT)
    corpus = given.pop("corpus", "") or MINI
    settled = {"corpus": corpus, **_place(corpus, given.pop("db", ""), called_from, recipe, environment)}
    settled["tag"] = given.pop("tag", "") or (_tag_of(settled["db"]) if corpus == FOLDER else corpus)
    return [word for name, value in {**settled, **given}.items() for word in (f"--{name}", value)]


def _place(
    corpus: str, db: str, called_from: Path, recipe: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """Options that say where the corpus lies."""
    if corpus == MINI:
        if db:
            raise InputError(
                "--db",
                "mini has no folder; add --corpus folder, or the corpus that lies in " + db,
                f"See {SCRIPT} --help",
            )
        return {}
    if corpus != FOLDER and corpus not in named.corpus_names():
        raise InputError("--corpus", f"unknown corpus '{corpus}'", f"See {SCRIPT} --help")
    if db:
        return {"db": _absolute(called_from / db, db)}
    variable = corpus.upper()
    place = environment.get(variable, "" if corpus == FOLDER else DOWNLOADS)
    if place == DOWNLOADS:
        return {"db": str(recipe / DOWNLOADS / corpus), "download": "true"}
    if not place:
        if corpus == FOLDER:
            raise InputError("--corpus folder", "which folder? Give --db DIR", "Or fill FOLDER in db.sh")
        raise InputError(
            f"--corpus {corpus}", "its folder is not known", f"Give --db DIR, or fill {variable} in db.sh"
        )
    return {"db": _absolute(recipe / place, place)}


def _tag_of(db: str) -> str:
    """Name of the run of a folder: the folder's, with `_` for what --tag does not take.

    Raises:
        InputError: its letters are none that --tag takes.
    """
    name = Path(db).name
    if TAG.fullmatch(name):
        return name
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    tag = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("_.-")
    if not plain.isascii() or not tag:
        raise InputError(
            "--db", f"its name '{name}' cannot name the run", "Add --tag NAME, of Latin letters and digits"
        )
    print(f"{SCRIPT}: the run of '{name}' is called {tag}; --tag gives it another name", file=sys.stderr)
    return tag


def _absolute(path: Path, given: str) -> str:
    if not path.is_dir():
        raise InputError("--db", f"no such folder: {given}", "Correct the path")
    return os.path.abspath(path)  # not resolved: what was prepared before knows links by their names
