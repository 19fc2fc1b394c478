"""The help of run.sh and valle.sh."""

from itertools import groupby
from textwrap import fill

from espnet2_valle.corpus.named import corpus_names
from espnet2_valle.recipe.options import FIELDS, STAGES

WIDTH, INDENT, TEXT_INDENT = 110, 35, 21
TEXT = """\
usage: ./run.sh [--corpus NAME] [--db DIR] [--tag NAME] [--option value] ...
  --corpus mini      the embedded corpus: espeak-ng voices, a closed vocabulary, no download (default)
  --corpus mini_x    the same of five languages: voices speak languages that they were not heard in (VALL-E X)
  --corpus mini_emo  the voices of mini in four emotions
  --corpus folder    recordings of yours in --db DIR: sound files with metadata.csv (header id|speaker|text),
                     or a .txt beside each, or a Kaldi data directory; DIR may hold train/, valid/ and test/
  --corpus NAME      taken from --db DIR or from where db.sh says, else downloaded; NAME is one of
{corpora}
                     (librispeech_test is LibriSpeech test-clean, to score a model: give --download_model too)
  --corpus folder --db "DIR DIR", --corpus "NAME folder" --db DIR
                     several in one training: a folder for each, or for those called folder
  --tag NAME         name of the run: data/NAME, dump/NAME, exp/NAME; default: the corpus, or the folder's
stages: {stages}
options and their defaults:
"""


def help_text() -> str:
    """Write down all options with their defaults."""
    indent = " " * TEXT_INDENT
    corpora = fill(", ".join(corpus_names()), WIDTH, initial_indent=indent, subsequent_indent=indent)
    lines = [TEXT.format(corpora=corpora, stages=STAGES)]
    for group, options in groupby(FIELDS.values(), lambda option: option.metadata["group"]):
        lines.append(f"{group}:\n")
        for option in options:
            default = str(option.default).lower() if isinstance(option.default, bool) else option.default
            name = f"  --{option.name} {default}".ljust(INDENT)
            text = fill(
                option.metadata["help"], WIDTH, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT
            )
            lines.append(f"{name}{text[INDENT:]}\n" if len(name) <= INDENT else f"{name}\n{text}\n")
    return "".join(lines)
