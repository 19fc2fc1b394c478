"""The first line of a docstring: an imperative sentence, or a noun phrase that names the thing."""

import ast

import pytest
from pages import ROOT

MODULES = sorted((ROOT / "espnet2_valle").rglob("*.py"))
QUESTIONS = {"what", "whether", "how", "which", "where", "when", "who", "whose", "why"}
# Third persons that are no plurals of a noun.
THIRD_PERSONS = {"compares", "computes", "creates", "decodes", "gives", "hears", "holds", "listens", "makes"}
THIRD_PERSONS |= {"notices", "predicts", "reads", "returns", "serves", "takes", "transcribes", "writes"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(path):
    """(line, first line) of each docstring of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and (docstring := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), docstring.splitlines()[0]


def unruly(path):
    """First lines that begin as a question or in the third person."""
    return [f"{line}: {text}" for line, text in first_lines(path) if begins_badly(text)]


def begins_badly(text):
    return text.split()[0].strip(".,:").lower() in QUESTIONS | THIRD_PERSONS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "espnet2_valle")))
def test_a_docstring_names_or_commands(path):
    assert not unruly(path)


def test_what_is_unruly_is_found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '''"""Whether this is so."""
class A:
    """Predicts."""
    def b(self):
        """What is b."""
    async def c(self):
        """Return c."""
'''
    )
    assert unruly(path) == ["1: Whether this is so.", "2: Predicts.", "4: What is b."]
