"""Inputs of the commands score and report, checked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_if_there, read_scp
from espnet2_valle.data.languages import UTT2LANG
from espnet2_valle.data.pairs import NO_OTHER, Pair, read_pairs
from espnet2_valle.evaluation.lists import read_list
from espnet2_valle.evaluation.scorers import ALL
from espnet2_valle.evaluation.settings import CONTINUATION, Settings
from espnet2_valle.evaluation.utterance import Trial
from espnet2_valle.text.multilingual import normal_code


def read_trials(
    pairs: Sequence[Pair], wavs: Mapping[str, str], texts: Mapping[str, str], source: str
) -> list[Trial]:
    """Make the trial of each pair.

    Raises:
        InputError: a pair names an utterance that the data directory lacks.
    """
    known = wavs.keys() & texts.keys()
    for pair in pairs:
        named = {"prompt": pair.prompt_utt, "target": pair.target_utt, "other": pair.other_utt}
        if pair.other_utt == NO_OTHER:
            del named["other"]
        for column, utterance in named.items():
            if utterance not in known:
                raise InputError(
                    source,
                    f"pair '{pair.pair_id}' has {column} utterance '{utterance}', not in the data",
                    "Give the data directory that the pairs were chosen from, or choose them again (stage 1)",
                )
    return [
        Trial(
            pair.pair_id,
            texts[pair.target_utt],
            wavs[pair.prompt_utt],
            None if pair.other_utt == NO_OTHER else wavs[pair.other_utt],
            reference=wavs[pair.target_utt],
        )
        for pair in pairs
    ]


@dataclass(frozen=True)
class Asked:
    """All that systems are asked and compared with.

    Attributes:
        trials: one a pair; each has a speaker, by name or by prompt.
        wavs: recordings of the data directory by utterance, {} without one.
        speakers: of those recordings, where the data directory tells.
        languages: pair id -> languages of prompt and text, where the data directory tells (utt2lang).
        emotions: pair id -> emotion of the target, where the data directory tells (utt2emo).
    """

    trials: list[Trial]
    wavs: dict[str, str] = field(default_factory=dict)
    speakers: dict[str, str] = field(default_factory=dict)
    languages: dict[str, tuple[str, str]] = field(default_factory=dict)
    emotions: dict[str, str] = field(default_factory=dict)


def read_asked(
    pairs: str | None,
    data_dir: str | None,
    trial_list: str | None,
    resynthesis: str | None,
    settings: Settings,
) -> Asked:
    """Read pairs and data directory, or a list, under a protocol.

    Args:
        pairs: list of pairs, with data_dir.
        data_dir: with wav.scp and text, and utt2spk for intervals over speakers.
        trial_list: see `lists.read_list`; in place of both.
        resynthesis: wav.scp of prompts after the codec, keyed by utterance, by pair with a list.
        settings: has the protocol.

    Raises:
        InputError: neither or both are given, or see `read_trials`, `read_list` and `judged_language`.
    """
    prompts = read_scp(resynthesis) if resynthesis else {}
    if trial_list:
        if pairs or data_dir:
            raise InputError("--list", "is given beside --pairs or --data_dir", "Give one or the other")
        if settings.by_language:
            raise InputError(
                "--list",
                "tells no languages, and --config has a judge for each",
                "Give --pairs and a --data_dir with utt2lang, or a --config with one judge",
            )
        asked = Asked([replace(t, resynthesis=prompts.get(t.pair_id)) for t in read_list(trial_list)])
    elif pairs and data_dir:
        asked = _of_data_dir(pairs, Path(data_dir), prompts, settings)
    else:
        raise InputError("--pairs", "or --data_dir is missing", "Give both, or --list")
    if settings.protocol == CONTINUATION:
        return replace(asked, trials=[continued(t, settings.prompt_seconds) for t in asked.trials])
    return asked


def _of_data_dir(pairs_file: str, data_dir: Path, prompts: Mapping[str, str], settings: Settings) -> Asked:
    pairs = read_pairs(pairs_file)
    path, judged = data_dir / UTT2LANG, settings.by_language
    told = read_if_there(path)
    languages = {pair.pair_id: judged_language(pair.target_utt, told, judged, path) for pair in pairs}
    wavs = read_scp(data_dir / "wav.scp")
    trials = read_trials(pairs, wavs, read_scp(data_dir / "text"), pairs_file)
    known = read_if_there(data_dir / "utt2spk")
    speakers = {utterance: known[utterance] for utterance in wavs if utterance in known}
    return Asked(
        [
            replace(
                trial,
                speaker=speakers.get(pair.prompt_utt, trial.prompt),
                resynthesis=prompts.get(pair.prompt_utt),
                language=languages[pair.pair_id],
            )
            for trial, pair in zip(trials, pairs)
        ],
        wavs,
        speakers,
        _languages(pairs, told),
        _emotions(pairs, data_dir),
    )


def _emotions(pairs: Sequence[Pair], data_dir: Path) -> dict[str, str]:
    """Emotion of the target of each pair; none where the data directory does not tell them."""
    told = read_if_there(data_dir / "utt2emo")
    return {pair.pair_id: told[pair.target_utt] for pair in pairs if pair.target_utt in told}


def _languages(pairs: Sequence[Pair], told: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Codes of prompt's and text's language of each pair; none where `told`, of the utterances, lacks one."""
    spoken = {utterance: normal_code(named) for utterance, named in told.items()}
    both = {pair.pair_id: (spoken.get(pair.prompt_utt), spoken.get(pair.target_utt)) for pair in pairs}
    return {pair: (prompt, text) for pair, (prompt, text) in both.items() if prompt and text}


def judged_language(
    utterance: str, told: Mapping[str, str], judged: Collection[str], where: str | Path
) -> str:
    """Code of the language of an utterance's text, which chooses its judges; ALL where these hear any.

    Args:
        utterance: whose text is to be said.
        told: utterance -> language.
        judged: codes of languages that have judges of their own; none where the judges hear any.
        where: what tells the languages, for errors.

    Raises:
        InputError: there are judges by language, but none of this one, or it is not known.
    """
    if not judged:
        return ALL
    named = told.get(utterance, "")
    if not named:
        raise InputError(
            where,
            f"does not tell the language of '{utterance}', and the scoring config has judges by language",
            "Write a line `utterance language`, or give a scoring config with one judge",
        )
    code = normal_code(named)
    if code not in judged:
        raise InputError(
            where,
            f"'{utterance}' is '{named}', for which the scoring config has no judge, but for "
            f"{', '.join(judged)}",
            f"Add '{code}' below by_language of that config",
        )
    return code


def continued(trial: Trial, seconds: float) -> Trial:
    """The trial as a continuation: the reference's first `seconds` are the prompt, voice is scored after it.

    Raises:
        InputError: there is no reference recording.
    """
    if trial.reference is None:
        raise InputError(
            f"pair {trial.pair_id}", "has no reference recording to continue", "Choose the protocol cross"
        )
    return replace(trial, prompt=trial.reference, prompt_seconds=seconds, skip_seconds=seconds)


def named_files(options: Sequence[str], option: str) -> dict[str, str]:
    """Split `NAME=FILE` options.

    Raises:
        InputError: no `=`, or a name given twice.
    """
    files: dict[str, str] = {}
    for given in options:
        name, sign, path = given.partition("=")
        if not (name and sign and path):
            raise InputError(
                option, f"'{given}' is not NAME=FILE", "Write for example valle=exp/mini/decode/wav.scp"
            )
        if name in files or "/" in name:
            raise InputError(
                option, f"'{name}' is there twice or has a slash", "Give each system a name of its own"
            )
        files[name] = path
    return files


def read_vocabulary(path: str | None) -> tuple[str, ...]:
    """Words of a closed vocabulary, one a line.

    Raises:
        InputError: no such file, or no word in it.
    """
    if path is None:
        return ()
    if not Path(path).is_file():
        raise InputError(path, "no such vocabulary", "Correct the path or leave out --vocabulary")
    words = tuple(Path(path).read_text(encoding="utf-8").split())
    if not words:
        raise InputError(path, "has no word", "Write one word a line or leave out --vocabulary")
    return words


def read_times(path: str | None) -> dict[str, float]:
    """Stage -> seconds, in the order of the file; a stage timed twice keeps its last time.

    Raises:
        InputError: no such file, or a line that is not `stage seconds`.
    """
    if path is None:
        return {}
    if not Path(path).is_file():
        raise InputError(path, "no such file of stage times", "Correct the path or leave out --stage_times")
    times: dict[str, float] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        stage, _, seconds = line.strip().rpartition(" ")
        try:
            times[stage.strip()] = float(seconds)
        except ValueError as error:
            raise InputError(
                f"{path}:{number}", f"'{line}' is not `stage seconds`", "Mend or remove the line"
            ) from error
    return times
