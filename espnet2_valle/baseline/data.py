"""Training data of ESPnet's TTS systems, checked, and as ESPnet's options."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import kaldiio

from espnet2_valle.baseline.kinds import Kind
from espnet2_valle.common.conf import locate
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp

SPEMBS, DURATIONS = "spembs", "durations"
SPLITS = ("train", "valid")


@dataclass(frozen=True)
class TrainingData:
    """Folders of a recipe's run, which its stages have filled.

    Attributes:
        raw_dir: with SET/wav.scp.
        token_dir: with tokens.txt and SET/token_int.
        spembs_dir: with SET/spembs.scp.
        durations_dir: with SET/durations, None where no system needs it.
        sets: split (train, valid) -> name of the set.
        fs: sample rate in Hz.
    """

    raw_dir: Path
    token_dir: Path
    spembs_dir: Path
    durations_dir: Path | None
    sets: dict[str, str]
    fs: int

    @property
    def token_list(self) -> Path:
        """All tokens, one a line."""
        return self.token_dir / "tokens.txt"

    def wavs(self, split: str) -> Path:
        """The wav.scp of a split."""
        return self.raw_dir / self.sets[split] / "wav.scp"

    def tokens(self, split: str) -> Path:
        """Token ids of a split."""
        return self.token_dir / self.sets[split] / "token_int"

    def spembs(self, split: str) -> Path:
        """Speaker embeddings of a split."""
        return self.spembs_dir / self.sets[split] / f"{SPEMBS}.scp"

    def durations(self, split: str) -> Path:
        """Durations of a split, in frames of the decoder.

        Raises:
            InputError: there are none.
        """
        path = (self.durations_dir or Path()) / self.sets[split] / DURATIONS
        if self.durations_dir is None or not path.is_file():
            raise InputError("--durations_dir", f"{path} is not there", "Take them from a teacher first")
        return path

    def embedding_size(self) -> int:
        """Dimensions of a speaker embedding."""
        first = next(iter(read_scp(self.spembs("train")).values()))
        return int(kaldiio.load_mat(first).shape[0])


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that `read_data_arguments` reads."""
    group = parser.add_argument_group("data")
    group.add_argument("--raw_dir", required=True, help="with SET/wav.scp, as stage 2 writes it")
    group.add_argument("--token_dir", required=True, help="with tokens.txt and SET/token_int, of stage 3")
    group.add_argument("--spembs_dir", required=True, help="with SET/spembs.scp: speaker_embed")
    group.add_argument("--durations_dir", help="with SET/durations: baseline_durations")
    group.add_argument("--train_set", default="train")
    group.add_argument("--valid_set", default="valid")
    group.add_argument("--fs", type=int, required=True, help="sample rate of the sound files in Hz")


def read_data_arguments(args: argparse.Namespace) -> TrainingData:
    """Training data of the options of `add_data_arguments`.

    Raises:
        InputError: a file is missing.
    """
    durations = Path(args.durations_dir) if args.durations_dir else None
    sets = {"train": args.train_set, "valid": args.valid_set}
    data = TrainingData(
        Path(args.raw_dir), Path(args.token_dir), Path(args.spembs_dir), durations, sets, args.fs
    )
    for split in SPLITS:
        for path in (data.wavs(split), data.tokens(split), data.spembs(split)):
            if not path.is_file():
                raise InputError(path, "no such file", "Run the stage that writes it first")
    return data


def model_options(kind: Kind, config: str | Path, data: TrainingData) -> list[str]:
    """Options that say what the model is; token ids come as they are, so ESPnet needs no tokenizer."""
    options = [
        "--config",
        str(locate(config)),
        "--token_list",
        str(data.token_list),
        "--use_preprocessor",
        "false",
    ]
    for option, key in kind.rates:
        options += [f"--{option}", f"{key}={data.fs}"]
    option, key = kind.embedding
    return [*options, f"--{option}", f"{key}={data.embedding_size()}"]


def source_options(kind: Kind, data: TrainingData) -> list[str]:
    """Options that name texts and sounds, and durations where the system needs them."""
    options = []
    for split in SPLITS:
        options += source(split, data.tokens(split), "text", "text_int")
        options += source(split, data.wavs(split), "speech", "sound")
        if kind.teacher:
            options += source(split, data.durations(split), DURATIONS, "text_int")
    return options


def source(split: str, path: Path, name: str, loader: str) -> list[str]:
    """One of ESPnet's --{train,valid}_data_path_and_name_and_type."""
    return [f"--{split}_data_path_and_name_and_type", f"{path},{name},{loader}"]
