"""Speech of a trained TTS system of ESPnet for a list of pairs, in the voice of each prompt's embedding."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np

from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.espnet_imports import import_espnet_quietly
from espnet2_valle.common.options import check_keys
from espnet2_valle.common.resume import digest
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.data.pairs import Pair
from espnet2_valle.generate.decoding_folder import DecodingFolder, Ending, wav_path
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import finish
from espnet2_valle.jobs.pool import parallel_map

MODEL_FILES = ("train_config", "model_file", "vocoder_config", "vocoder_file")


@dataclass(frozen=True)
class Job:
    """One pair: its id, the token ids to say, the place of the prompt's speaker embedding."""

    pair_id: str
    ids: tuple[int, ...]
    spemb: str

    def voice(self) -> np.ndarray:
        """The embedding, float32."""
        return np.array(kaldiio.load_mat(self.spemb), dtype=np.float32)

    def digest(self) -> str:
        """Digest that changes with what is to be said and with the voice."""
        return digest([str(self.ids), str(self.voice().tolist())])


def read_model(files: Mapping[str, str], config: str | None) -> dict[str, Any]:
    """Arguments of espnet2.bin.tts_inference.Text2Speech.

    Args:
        files: those of `MODEL_FILES` that there are.
        config: YAML of the other arguments, if any.

    Raises:
        InputError: no such file, no mapping, or an argument that there is not.
    """
    for path in files.values():
        if not Path(path).is_file():
            raise InputError(path, "no such file", "Train the system first, or correct the path")
    if config is None:
        return dict(files)
    given = read_yaml(config, "--config")
    import_espnet_quietly()
    from espnet2.bin.tts_inference import Text2Speech

    known = [name for name in inspect.signature(Text2Speech).parameters if name not in MODEL_FILES]
    check_keys(config, given, known, "argument")
    return {**given, **files}


def jobs_of(pairs: Sequence[Pair], tokens: Mapping[str, str], spembs: Mapping[str, str]) -> list[Job]:
    """Look the pairs up.

    Raises:
        InputError: a target without token ids or a prompt without embedding.
    """
    jobs = []
    for pair in pairs:
        if pair.target_utt not in tokens:
            raise InputError(
                "--token_int", f"has no '{pair.target_utt}' of {pair.pair_id}", "Run stage 3 again"
            )
        if pair.prompt_utt not in spembs:
            raise InputError(
                "--spembs", f"has no '{pair.prompt_utt}' of {pair.pair_id}", "Embed the test set"
            )
        ids = tuple(map(int, tokens[pair.target_utt].split()))
        jobs.append(Job(pair.pair_id, ids, spembs[pair.prompt_utt]))
    return jobs


def synthesise(model: Mapping[str, Any], jobs: Sequence[Job], output_dir: str | Path, nj: int = 1) -> None:
    """Say every pair; a rerun with the same model and options does what is not done or has changed.

    Args:
        model: arguments of espnet2.bin.tts_inference.Text2Speech.
        jobs: of `jobs_of`.
        output_dir: see `DecodingFolder`.
        nj: processes.
    """
    folder = DecodingFolder(output_dir, model, {job.pair_id: job.digest() for job in jobs})
    pending = [job for job in jobs if job.pair_id not in folder.done]
    work = partial(_say, json.dumps(model), str(output_dir))
    folder.record(parallel_map(work, pending, nj, "decode"))
    folder.finish([job.pair_id for job in jobs])


@lru_cache(maxsize=1)
def _open_text2speech(model: str) -> Any:
    """The model, loaded once in a process."""
    import_espnet_quietly()
    from espnet2.bin.tts_inference import Text2Speech

    return Text2Speech(**json.loads(model))


def _say(model: str, output_dir: str, job: Job) -> dict[str, Ending]:
    """Say one pair and write what came out; returns how it ended."""
    import torch

    text2speech = _open_text2speech(model)
    torch.manual_seed(seed_of(text2speech.seed, job.pair_id))
    said = text2speech(text=torch.tensor(job.ids), spembs=torch.from_numpy(job.voice()))
    outcome = Outcome.OK
    cap = text2speech.decode_conf.get("maxlenratio")  # frames for a token: autoregressive systems have one
    if cap is not None and len(said["feat_gen"]) >= int((len(job.ids) + 1) * cap):
        outcome = Outcome.HIT_LENGTH_CAP
    # Unsigned: a system of ESPnet, as it is, to compare with.
    wav, outcome = finish(said["wav"].cpu().numpy().astype(np.float32), text2speech.fs, outcome, None)
    if outcome is not Outcome.NO_SPEECH:
        write_audio(wav_path(output_dir, job.pair_id), wav, text2speech.fs)
    return {job.pair_id: (outcome.value, 1)}
