"""Synthesising a list of (prompt, text) pairs by many workers; a killed run goes on where it was."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.resume import digest, file_state
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair, read_lines_of_pairs, read_pairs
from espnet2_valle.generate.continuation import divide_text, read_beginning
from espnet2_valle.generate.control_lines import check_control
from espnet2_valle.generate.decoding_folder import DecodingFolder, Ending, codes_path, wav_path
from espnet2_valle.generate.opening import ModelSpec, open_streamer, open_text2speech
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.pair_languages import PairLanguages, read_languages
from espnet2_valle.generate.pair_styles import PairStyle, read_styles
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.jobs.shards import cut


@dataclass(frozen=True)
class Job:
    """One pair to synthesise; one that continues has its own recording as its prompt."""

    pair_id: str
    prompt_wav: str
    prompt_text: str
    text: str
    continues: bool = False
    control: str = ""  # see `Text2Speech.__call__`
    languages: PairLanguages = PairLanguages()
    style: PairStyle = PairStyle()

    def request(self, text2speech: Text2Speech) -> Request:
        """The request to a model."""
        fs, seed = text2speech.fs, seed_of(text2speech.seed, self.pair_id)
        control = self.control or None
        if not self.continues:
            asked = Request(self.text, self.prompt_wav, self.prompt_text, seed=seed, control=control)
        else:
            divided = divide_text(self.prompt_wav, self.text)
            prompt = read_beginning(self.prompt_wav, fs)
            asked = Request(divided.rest, prompt, divided.prompt_text, fs, seed, control=control)
        asked = self.languages.added_to(asked, text2speech.languages)
        return self.style.added_to(asked, text2speech.emotions, text2speech.options)

    def digest(self) -> str:
        """Digest that changes with the text and with the prompt, be it another file or rewritten."""
        control = [self.control] if self.control else []  # as it was before there were any
        parts = [file_state(self.prompt_wav), self.prompt_text, self.text, str(self.continues)]
        return digest([*parts, *control, *self.languages.parts(), *self.style.parts()])


def synthesise_pairs(
    model: ModelSpec,
    pairs: str | Path,
    data_dir: str | Path,
    output_dir: str | Path,
    nj: int,
    batch_size: int = 1,
    streaming: bool = False,
    controls: str | Path | None = None,
    languages: str | Path | None = None,
    styles: str | Path | None = None,
) -> None:
    """Synthesise every pair; a rerun with the same model and options does what is not done or has changed.

    Writes wav/<pair_id>.wav, codes/<pair_id>.npy, wav.scp, outcomes (`pair_id outcome`) and tries (`pair_id
    attempts`). Texts of about the same length share a batch. `controls` has lines `pair_id wishes`, see
    `Text2Speech.__call__`, for pairs that are to have some; `languages` see `read_languages`, `styles` see
    `read_styles`.

    Raises:
        InputError: a pair that names an unknown utterance, or a model that cannot be opened.
    """
    jobs = _jobs(read_pairs(pairs), DataDir.load(data_dir), pairs, controls, languages, styles)
    folder = DecodingFolder(
        output_dir, folder_options(model, streaming), {job.pair_id: job.digest() for job in jobs}
    )
    pending = [job for job in jobs if job.pair_id not in folder.done]
    if batch_size > 1:
        pending.sort(key=lambda job: len(job.text))
    batches = cut(pending, batch_size)
    work = functools.partial(_synthesise, model, streaming, str(output_dir))
    folder.record(parallel_map(work, batches, nj, "decode"))
    folder.finish([job.pair_id for job in jobs])


def folder_options(model: ModelSpec, streaming: bool) -> dict[str, Any]:
    """All that decides how pairs sound, as a decoding folder is known by it."""
    recognizer = model.options.component
    identity = recognizer and recognizer.identity()
    options = {**model.to_dict(), "streaming": streaming, "recognizer": identity}
    options |= model.options.heard_state  # nothing where no emotion is heard
    if model.options.signature is None:  # as it was before there were any: folders made then stay of use
        options = {name: value for name, value in options.items() if not name.startswith("watermark")}
    return options


def _synthesise(model: ModelSpec, streaming: bool, output_dir: str, jobs: Sequence[Job]) -> dict[str, Ending]:
    """Synthesise a batch of pairs and write what came out; returns how each ended."""
    text2speech = open_text2speech(model)
    synthesise = open_streamer(model).synthesise if streaming else None
    requests: list[tuple[Job, Request]] = []
    endings = {}
    for job in jobs:
        try:
            requests.append((job, job.request(text2speech)))
        except InputError as error:  # a recording that cannot be continued
            print(f"{job.pair_id}: {error}")
            endings[job.pair_id] = (Outcome.PROMPT_REJECTED.value, 0)
    results = text2speech.batch([request for _, request in requests], synthesise)
    for (job, request), result in zip(requests, results, strict=True):
        if result.problem:
            print(f"{job.pair_id}: {result.problem}")
        if len(result.wav) and result.outcome is not Outcome.NO_SPEECH:
            if len(result.codes):  # of a model that makes codes
                with atomic_path(codes_path(output_dir, job.pair_id)) as path:
                    np.save(path, result.codes.numpy().astype(np.int16))
            wav = result.wav.numpy()
            if job.continues:  # what is written begins with the prompt
                wav = np.concatenate([np.asarray(request.prompt_speech), wav])
            write_audio(wav_path(output_dir, job.pair_id), wav, text2speech.fs)
        endings[job.pair_id] = (result.outcome.value, result.tries)
    return endings


def _jobs(
    pairs: Sequence[Pair],
    data: DataDir,
    where: str | Path,
    controls: str | Path | None,
    languages: str | Path | None,
    styles: str | Path | None,
) -> list[Job]:
    """Look the pairs up in the data.

    Raises:
        InputError: an utterance that is not there, or wishes or languages that are none, or for no pair.
    """
    wishes = read_lines_of_pairs(controls, pairs, where) if controls else {}
    for line in wishes.values():
        check_control(line)
    for pair in pairs:
        for utt in (pair.prompt_utt, pair.target_utt):
            if utt not in data.wavs or utt not in data.texts:
                raise InputError(
                    where, f"{pair.pair_id} names '{utt}', which {data.path} lacks", "Run stage 2 again"
                )
    spoken = read_languages(pairs, data.languages, languages, where)
    styled = read_styles(pairs, data.emotions, styles, where)
    return [
        Job(
            pair.pair_id,
            data.wavs[pair.prompt_utt],
            data.texts[pair.prompt_utt],
            data.texts[pair.target_utt],
            pair.prompt_utt == pair.target_utt,
            wishes.get(pair.pair_id, ""),
            spoken[pair.pair_id],
            styled[pair.pair_id],
        )
        for pair in pairs
    ]
