"""Sentences that nobody has recorded, as pairs to say: each in the voice of a prompt of a test set."""

from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, read_text
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import NO_OTHER, PAIRS, Pair, read_pairs, write_pairs

LIST = "list"
NAME = "sentence"


def write_sentence_pairs(
    sentences: str | Path, pairs: str | Path, data_dir: str | Path, output_dir: Path
) -> int:
    """Write a data directory with a list of pairs that says each sentence.

    `valle say` takes pairs and data directory, `valle evaluate` the file `list`. The sound file of a sentence
    is that of its prompt, since there is no recording of it.

    Args:
        sentences: one a line.
        pairs: whose prompts take turns.
        data_dir: their recordings and texts.
        output_dir: gets wav.scp, text, utt2spk, spk2utt, pairs and list.

    Returns:
        the number of sentences.

    Raises:
        InputError: no sentence, or prompts that are not in the data.
    """
    lines = [line.strip() for line in read_text(sentences).splitlines() if line.strip()]
    if not lines:
        raise InputError(sentences, "has no sentence", "Write one a line")
    data = DataDir.load(data_dir)
    prompts = list(dict.fromkeys(pair.prompt_utt for pair in read_pairs(pairs)))
    missing = [prompt for prompt in prompts if prompt not in data.wavs]
    if missing:
        raise InputError(pairs, f"names '{missing[0]}', which {data_dir} lacks", "Give the data of the pairs")
    wavs = {prompt: data.wavs[prompt] for prompt in prompts}
    texts = {prompt: data.texts[prompt] for prompt in prompts}
    speakers = {prompt: data.speakers[prompt] for prompt in prompts}
    made, rows = [], []
    for number, line in enumerate(lines):
        prompt = prompts[number % len(prompts)]
        key = f"{speakers[prompt]}-{NAME}{number + 1:04}"
        wavs[key], texts[key], speakers[key] = wavs[prompt], line, speakers[prompt]
        made.append(Pair(key, prompt, key, NO_OTHER))
        rows.append(f"{key}|{texts[prompt]}|{Path(wavs[prompt]).resolve()}|{line}\n")
    DataDir(output_dir, wavs, texts, speakers).write()
    write_pairs(output_dir / PAIRS, made)
    with atomic_open(output_dir / LIST) as stream:
        stream.writelines(rows)
    return len(lines)
