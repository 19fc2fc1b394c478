"""Codebook 1 of recordings, completed by the NAR model: what that model does, whatever the AR model says."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.resume import digest
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.made_from import make_missing, sound_state
from espnet2_valle.data.pairs import Pair
from espnet2_valle.generate.decoding_folder import codes_path
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.pair_languages import PairLanguages, read_languages
from espnet2_valle.generate.request import Request


def complete(
    model: ModelSpec,
    pairs: Sequence[Pair],
    data: DataDir,
    recorded: Mapping[str, np.ndarray],
    folder: Path,
    nj: int = 1,
) -> None:
    """Let the NAR model say what recordings say, from their own codebook 1, in the voice of the prompt.

    What was completed before from the same is kept.

    Args:
        model: opened once in each process.
        pairs: prompts and targets.
        data: their recordings and texts.
        recorded: codes (T, Q) of each target, by pair.
        folder: gets codes/PAIR_ID.npy, (T, Q) int16.
        nj: number of processes.
    """
    jobs, states = {}, {}
    languages = read_languages(pairs, data.languages)
    for pair in pairs:
        prompt, said = pair.prompt_utt, pair.target_utt
        request = Request(data.texts[said], data.wavs[prompt], data.texts[prompt])
        first = np.ascontiguousarray(recorded[pair.pair_id][:, 0])
        spoken = languages[pair.pair_id]
        jobs[pair.pair_id] = (request, spoken, first, codes_path(folder, pair.pair_id))
        state = [request.text, str(request.prompt_text), sound_state(data.wavs[prompt], None, None)]
        states[pair.pair_id] = digest([repr(model), *state, first.tobytes(), *spoken.parts()])
    make_missing(
        codes_path(folder, "").parent, states, jobs, partial(_complete, model), nj, "complete", "{}.npy"
    )


def _complete(model: ModelSpec, job: tuple[Request, PairLanguages, np.ndarray, Path]) -> int:
    """Complete codebook 1 as a request in its languages asks, and write the file; returns the frames."""
    request, spoken, first, path = job
    text2speech = open_text2speech(model)
    prepared = text2speech.prepare(spoken.added_to(request, text2speech.languages))
    given = torch.from_numpy(first.astype(np.int64)).to(text2speech.device)
    with torch.inference_mode():
        rows = [prepared.text], [prepared.prompt], [given], None, [prepared.languages], [prepared.style]
        codes = text2speech.nar.generate(*rows)[0]
    with atomic_path(path) as temporary:
        np.save(temporary, codes.cpu().numpy().astype(np.int16))
    return len(codes)
