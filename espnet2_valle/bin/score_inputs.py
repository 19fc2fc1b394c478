"""What the commands score and report read, checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.pairs import NO_OTHER, Pair
from espnet2_valle.score.utterance import Trial


def read_trials(
    pairs: Sequence[Pair], wavs: Mapping[str, str], texts: Mapping[str, str], source: str
) -> list[Trial]:
    """What each pair asks for.

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
        )
        for pair in pairs
    ]


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
