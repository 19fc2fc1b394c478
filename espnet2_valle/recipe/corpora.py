"""Corpora, folders and name of a run: `run.sh --corpus --db --tag` in the words of valle.sh.

Standard library only: corpora are named before anything is installed.
"""

import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus import named
from espnet2_valle.recipe.options import HELP, TAG, read_words

SCRIPT = "./run.sh"
MINI, MINI_X, MINI_EMO, FOLDER = "mini", "mini_x", "mini_emo", "folder"
EMBEDDED = (MINI, MINI_X, MINI_EMO)  # are made, and lie in no folder
DOWNLOADS = "downloads"  # in db.sh
LONGEST_TAG = 100  # of several corpora, characters


@dataclass(frozen=True)
class Source:
    """A corpus of a run of several.

    Attributes:
        name: goes before the ids of its speakers and utterances; has no `-`.
        corpus: what it is, `folder` or a named one.
        db: its folder.
    """

    name: str
    corpus: str
    db: str


def sources(corpus: str, db: str) -> list[Source]:
    """List the corpora of a run of several; none where there is but one.

    Args:
        corpus: `--corpus` of valle.sh, names with spaces between.
        db: `--db` of valle.sh, as many folders, quoted as for a shell.

    Raises:
        InputError: there are more or fewer folders, or one that is made is among them.
    """
    corpora = corpus.split()
    if len(corpora) < 2:
        return []
    folders = _split(db)
    if len(folders) != len(corpora):
        raise InputError(
            "--db",
            f"names {len(folders)}, and the corpora are {len(corpora)}: {corpus}",
            "Name a folder for each",
        )
    for made in {*EMBEDDED} & {*corpora}:
        raise InputError("--corpus", f"{made} goes with no other", f"Leave it out of '{corpus}'")
    found: list[Source] = []
    for kind, folder in zip(corpora, folders):
        if any(folder == source.db for source in found):
            raise InputError(
                "--db", f"{folder} is there twice", "Leave one out: --corpus_weights draws it oftener"
            )
        name = _name_of(folder) if kind == FOLDER else kind
        found.append(Source(_free(name, {source.name for source in found}), kind, folder))
    return found


def _free(name: str, taken: Collection[str]) -> str:
    """The name, numbered if it is taken."""
    numbered = chain([name], (f"{name}_{n}" for n in count(2)))
    return next(each for each in numbered if each not in taken)


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
    corpora, db = given.pop("corpus", "").split() or [MINI], given.pop("db", "")
    folders = []
    if db and (len(corpora) > 1 or corpora == [FOLDER]):
        folders = [db] if (called_from / db).is_dir() else _split(db)
    if len(folders) > 1 and len(corpora) == 1:
        corpora *= len(folders)
    if len(corpora) > 1:
        settled = _places(corpora, folders, called_from, recipe, environment)
        tag = given.pop("tag", "") or _tag_of_several(sources(settled["corpus"], settled["db"]))
    else:
        settled = {"corpus": corpora[0], **_place(corpora[0], db, called_from, recipe, environment)}
        tag = given.pop("tag", "") or (_tag_of(settled["db"]) if corpora == [FOLDER] else corpora[0])
    settled["tag"] = tag
    return [word for name, value in {**settled, **given}.items() for word in (f"--{name}", value)]


def _split(folders: str) -> list[str]:
    """Folders with spaces between, quoted as for a shell.

    Raises:
        InputError: a quote is not closed.
    """
    try:
        return shlex.split(folders)
    except ValueError as error:
        raise InputError("--db", f"{folders} ({error})", "Close the quotes around a folder's name") from error


def _places(
    corpora: Sequence[str],
    folders: Sequence[str],
    called_from: Path,
    recipe: Path,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Options that say what several corpora are and where they lie."""
    own = corpora.count(FOLDER)
    if len(folders) == len(corpora):
        given = list(folders)
    elif len(folders) in (0, own):
        rest = iter(folders)
        given = [next(rest, "") if corpus == FOLDER else "" for corpus in corpora]
    else:
        raise InputError(
            "--db",
            f"{len(folders)} folders for the {len(corpora)} corpora {' '.join(corpora)}",
            "Give each a folder, in their order"
            + (f", or {own} for those called {FOLDER}; quote a name with spaces" if own else ", or none"),
        )
    placed = [_place(*pair, called_from, recipe, environment) for pair in zip(corpora, given)]
    settled = {
        "corpus": " ".join(corpora),
        "db": shlex.join(place.get("db", "") for place in placed),
    }
    return settled | ({"download": "true"} if any("download" in place for place in placed) else {})


def _place(
    corpus: str, db: str, called_from: Path, recipe: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """Options that say where the corpus lies."""
    if corpus in EMBEDDED:
        if db:
            raise InputError(
                "--db",
                f"{corpus} has no folder; add --corpus folder, or the corpus that lies in " + db,
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
    tag = _plain(name)
    if not tag:
        raise InputError(
            "--db", f"its name '{name}' cannot name the run", "Add --tag NAME, of Latin letters and digits"
        )
    if tag != name:
        print(f"{SCRIPT}: the run of '{name}' is called {tag}; --tag gives it another name", file=sys.stderr)
    return tag


def _tag_of_several(found: Sequence[Source]) -> str:
    """Name of the run of several corpora: theirs.

    Raises:
        InputError: it is too long.
    """
    tag = "-".join(source.name for source in found)
    if len(tag) > LONGEST_TAG:
        raise InputError(
            "--corpus", f"the names of {len(found)} corpora are too long for one", "Add --tag NAME"
        )
    return tag


def _name_of(db: str) -> str:
    """Name of a folder among several corpora."""
    return _plain(Path(db).name).replace("-", "_") or FOLDER


def _plain(name: str) -> str:
    """A name with `_` for what --tag does not take; empty if its letters are none that it takes."""
    if TAG.fullmatch(name):
        return name
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("_.-") if plain.isascii() else ""


def _absolute(path: Path, given: str) -> str:
    if not path.is_dir():
        raise InputError("--db", f"no such folder: {given}", "Correct the path")
    return os.path.abspath(path)  # not resolved: what was prepared before knows links by their names
