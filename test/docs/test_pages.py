"""README, CONTRIBUTING and docs/: their length, links, and the files that they name."""

import re
from pathlib import Path

import pytest
from pages import FENCE, PAGES, ROOT, blocks, inline_code

from espnet2_valle.corpus.named import corpus_names

PACKAGE = ROOT / "espnet2_valle"
RECIPE = ROOT / "egs2" / "valle"
ROOMS = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
TOPS = {"conf", "docs", "egs2", "espnet2_valle", "test"}
MADE = ("egs2/valle/exp/", "data/NAME")  # by a run
OURS = {"comparison.md": -1, "faithfulness.md": 2}  # which column names our files, beside those of others
KALDI = {"wav.scp", "text", "utt2spk", "spk2utt", "pairs"}  # of a data directory


def test_readme_is_short_and_begins_with_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    first = next(block for block in blocks("sh") if block.page == "README.md")
    commands = [line.split("#")[0].strip() for line in first.text.splitlines()]
    assert commands == ["cd espnet2_valle", "egs2/valle/run.sh", "test/run.sh"]


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {target}: no such heading"


def test_every_page_is_linked_from_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in readme


def named_files(code):
    """Paths that a piece of inline code names, braces spelt out."""
    for word in re.findall(r"[\w./{},*-]+/[\w./{},*-]*", code):
        parts = [word]
        while any("{" in part for part in parts):
            parts = [
                re.sub(r"\{[^{}]*\}", choice, part, count=1)
                for part in parts
                for choice in (re.search(r"\{([^{}]*)\}", part) or [None, ""])[1].split(",")
            ]
        yield from parts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_the_text_are_there(page):
    if page.name in OURS:
        pytest.skip("names the files of others")
    for code in inline_code(page):
        for name in named_files(code):
            first = Path(name).parts[0]
            if name.startswith(MADE) or "NAME" in name or Path(name).name in KALDI:
                continue
            if first in TOPS:
                base = ROOT
            elif first in ROOMS:
                base = PACKAGE
            elif name.startswith("../../conf/") or first in ("local", "utils"):
                base = RECIPE
            else:
                continue
            found = list(base.glob(name)) if "*" in name else [base / name]
            assert found, f"{page.name}: `{name}`"
            assert found[0].exists(), f"{page.name}: `{name}`"


def test_every_corpus_has_its_row():
    corpora = (ROOT / "docs" / "corpora.md").read_text(encoding="utf-8")
    rows = " ".join(re.findall(r"^\| (`.*?`) \|", corpora, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) >= {"mini", *corpus_names()}


@pytest.mark.parametrize("page", OURS)
def test_our_files_named_beside_those_of_others_are_there(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = []
    for row in re.findall(r"^\|.*\|$", text, re.MULTILINE):
        cells = row.strip("|").split("|")
        named += re.findall(r"`(\w+/[\w/]*(?:\.py)?)`", cells[OURS[page]] if len(cells) > 3 else "")
    ours = [name for name in named if name.split("/")[0] in ROOMS]
    assert len(ours) > 5
    for name in ours:
        assert (PACKAGE / name).exists(), name
