"""README, CONTRIBUTING and docs/ taken apart: code blocks, commands, inline code."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CLONE = "espnet2_valle"  # what README calls it
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        page: path from the root.
        line: number of its first line.
        text: what it holds.
    """

    page: str
    line: int
    text: str


class ShellCommand(NamedTuple):
    """A command of a shell block.

    Attributes:
        where: page and line of its block.
        folder: that it is called from.
        words: the program and its arguments.
    """

    where: str
    folder: Path
    words: tuple[str, ...]


def blocks(language: str) -> list[Block]:
    """Fenced blocks of a language, of all pages in order."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] == language:
                line = text[: match.start()].count("\n") + 2
                found.append(Block(str(page.relative_to(ROOT)), line, match[2]))
    return found


def shell_commands() -> list[ShellCommand]:
    """Every command of every shell block, each from the folder that the block has gone to."""
    found = []
    for block in blocks("sh"):
        folder = ROOT
        for line in block.text.replace("\\\n", " ").splitlines():
            for words in simple_commands(line):
                if words[0] == "cd":
                    folder = ROOT if words[1] == CLONE else folder / words[1]
                else:
                    found.append(ShellCommand(f"{block.page}:{block.line}", folder, tuple(words)))
    return found


def simple_commands(line: str) -> list[list[str]]:
    """Words of the commands of a line, which `|`, `&&` and `;` part; without comments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks, outside blocks."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"`([^`\n]+)`", prose)
