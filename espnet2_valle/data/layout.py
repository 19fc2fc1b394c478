"""Finished run directories of the recipe: where their models, test data and recogniser lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.common.errors import InputError

MODELS = ("ar", "nar")


@dataclass(frozen=True)
class TrainedRun:
    """A run directory, exp/NAME, as egs2/valle/valle.sh leaves it.

    Attributes:
        label: of the run in tables.
        exp_dir: the directory.
    """

    label: str
    exp_dir: Path

    def model_files(self, inference_model: str, models: Sequence[str] = MODELS) -> dict[str, str]:
        """The files that `Text2Speech` takes, by argument.

        Args:
            inference_model: name of the weights.
            models: folders of the training, `ar` and `nar` or `ns2`.

        Raises:
            InputError: one is missing: training has not ended.
        """
        files = {"codec_config": self.exp_dir / "codec" / "codec.yaml"}
        for model in models:
            files[f"{model}_train_config"] = self.exp_dir / model / "config.yaml"
            files[f"{model}_model_file"] = self.exp_dir / model / inference_model
        for path in files.values():
            if not path.is_file():
                raise InputError(path, "no such file", "Give --exp a run whose stages 4 to 6 are done")
        return {name: str(path) for name, path in files.items()}

    @property
    def test_dir(self) -> Path:
        """Data directory of the test, with its pairs."""
        return self._beside("dump") / "raw" / "test"

    @property
    def vocabulary(self) -> Path:
        """All words there are, where the corpus has but few."""
        return self._beside("data") / "vocabulary"

    @property
    def judge(self) -> Path:
        """Of the trained recogniser, where there is one."""
        return self.exp_dir / "judge"

    def _beside(self, kind: str) -> Path:
        exp_dir = self.exp_dir.absolute()
        return exp_dir.parent.parent / kind / exp_dir.name


def read_runs(options: Sequence[str]) -> list[TrainedRun]:
    """Runs given as `DIR` or `LABEL=DIR`.

    Raises:
        InputError: no such directory, or a label given twice.
    """
    runs = []
    for option in options:
        label, sign, folder = option.rpartition("=")
        path = Path(folder)
        if not path.is_dir():
            raise InputError("--exp", f"no such directory: {path}", "Give exp/NAME of a finished run")
        runs.append(TrainedRun(label if sign else path.absolute().name, path))
    labels = [run.label for run in runs]
    if len(set(labels)) < len(labels):
        raise InputError("--exp", f"labels are {labels}", "Give each run its own: LABEL=DIR")
    return runs
