"""Names of a run: its folders, sets and configurations, as they follow from its options."""

from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.recipe.corpora import Source, sources
from espnet2_valle.recipe.options import MODELS, Options

CONF = "../../conf"  # from the recipe's folder
PAIRS = "pairs"
MINI = "mini"  # the smallest model size
NS2 = "ns2"  # the model that is not VALL-E
TEST = "test"


@dataclass(frozen=True)
class Names:
    """Names as the commands say them, relative to the recipe's folder unless the user's are not.

    Attributes:
        options: as given, with the corpus' defaults.
    """

    options: Options

    @property
    def data(self) -> str:
        """Kaldi data directories of the corpus as it is."""
        return f"{self.options.datadir}/{self.options.tag}"

    def data_of(self, source: Source) -> str:
        """Data directories of one of several corpora."""
        return f"{self.data}/corpora/{source.name}"

    @property
    def dump(self) -> str:
        """Folder of all that is made from the corpus."""
        return f"{self.options.dumpdir}/{self.options.tag}"

    @property
    def raw(self) -> str:
        """Data directories with checked and resampled recordings."""
        return f"{self.dump}/raw"

    @property
    def token(self) -> str:
        """Token ids."""
        return f"{self.dump}/token"

    @property
    def codes(self) -> str:
        """Codes of the codec."""
        return f"{self.dump}/codec"

    @property
    def index(self) -> str:
        """Indices of where codes and token ids lie, which training reads."""
        return f"{self.dump}/index{self._own}"

    @property
    def timing(self) -> str:
        """Token and pitch of each frame, for `ns2`."""
        return f"{self.dump}/timing"

    @property
    def style(self) -> str:
        """Rate, pitch and energy of utterances, for models that are told them."""
        return f"{self.dump}/style"

    @property
    def aligner(self) -> str:
        """File by which frames are aligned with tokens, fitted to the training set."""
        return f"{self.exp}/aligner/aligner.npz"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the models that are trained: of their folders and configs."""
        return MODELS[self.options.model]

    @property
    def _own(self) -> str:
        """Ending of what another model than VALL-E has for itself."""
        return "" if self.options.model == "valle" else f"_{self.options.model}"

    @property
    def packed(self) -> str:
        """The packed model."""
        return f"{self.exp}/model{self._own}.zip"

    @property
    def pack_done(self) -> str:
        """Marker of it."""
        return f"{self.exp}/.done_pack{self._own}"

    @property
    def spembs(self) -> str:
        """Speaker embeddings, for the baselines."""
        return f"{self.dump}/spembs"

    @property
    def durations(self) -> str:
        """Durations of tokens, for the baselines."""
        return f"{self.dump}/durations"

    @property
    def whole_exp(self) -> str:
        """Models and results of the run, whatever share it is trained on."""
        return f"{self.options.expdir}/{self.options.tag}"

    @property
    def exp(self) -> str:
        """Models and results."""
        share = self.options.train_share
        return f"{self.whole_exp}_{share}" if share else self.whole_exp

    @property
    def base(self) -> str:
        """The packed model that is fine-tuned, laid out."""
        return f"{self.exp}/base"

    @property
    def decode(self) -> str:
        """The model's output."""
        tag = self.inference_tag
        return f"{self.exp}/decode_{tag}" if tag else f"{self.exp}/decode"

    @property
    def resynthesis(self) -> str:
        """The test set, decoded from its codes."""
        return f"{self.exp}/resynthesis{self.pairs_suffix}"

    @property
    def results(self) -> str:
        """Scores and report."""
        return self.decode if self.inference_tag else self.exp

    @property
    def stage_times(self) -> str:
        """File of the seconds that stages took."""
        return f"{self.exp}/stage_times"

    # Sets

    @property
    def voiced_set(self) -> str:
        """The training set without what espeak-ng reads: recordings, and their copies at other speeds."""
        return self.options.train_set + ("_sp" if self.options.speed_perturb_factors else "")

    @property
    def train_set(self) -> str:
        """The training set with all that is added to it."""
        return self.voiced_set + ("_ra" if self.options.read_aloud else "")

    @property
    def sets(self) -> str:
        """Sets that get tokens and codes; the training set first, from which the token list is made."""
        return f"{self.train_set} {self.options.valid_set} {self.options.test_sets}"

    @property
    def train_index(self) -> str:
        """Index of the training set, or of a share of it."""
        share = self.options.train_share
        return f"{self.index}/{self.train_set}" + (f"_{share}" if share else "")

    @property
    def sources(self) -> list[Source]:
        """The corpora of a run of several; none where there is but one."""
        return sources(self.options.corpus, self.options.db)

    @property
    def tested_corpus(self) -> str:
        """Of several corpora, the one whose test set is taken alone; else empty."""
        return self.options.test_sets.removeprefix(TEST).removeprefix("_") if self.sources else ""

    @property
    def pairs_suffix(self) -> str:
        """Ending of outputs for other pairs than those of `pairs` and `test`, such as `_continuation`."""
        tested = self.tested_corpus
        return self.options.pairs.removeprefix(PAIRS) + (f"_{tested}" if tested else "")

    @property
    def inference_tag(self) -> str:
        """Of the decoding; pairs other than the usual have their own unless one is given."""
        own = "" if self.options.pairs == PAIRS else self.options.pairs.removeprefix(f"{PAIRS}_")
        tag = self.options.inference_tag or "_".join(filter(None, (own, self.tested_corpus)))
        return "_".join(filter(None, (self._own[1:], tag)))

    # Configurations

    @property
    def ar_config(self) -> str:
        """Of the AR training."""
        return self._train_config(self.options.ar_config, "ar")

    @property
    def nar_config(self) -> str:
        """Of the NAR training."""
        return self._train_config(self.options.nar_config, "nar")

    @property
    def ns2_config(self) -> str:
        """Of the training of `ns2`."""
        return self._train_config(self.options.ns2_config, NS2)

    @property
    def finetune_config(self) -> str:
        """Of the fine-tuning of a packed model."""
        usual = "finetune_ns2" if self.options.model == NS2 else "finetune_lora"
        return self.options.finetune_config or f"{CONF}/{usual}.yaml"

    def _train_config(self, given: str, kind: str) -> str:
        options = self.options
        return given or options.train_config or f"{CONF}/train_{kind}_{options.model_size}.yaml"

    @property
    def _mini(self) -> bool:
        return self.options.model_size == MINI

    @property
    def codec(self) -> str:
        """The codec: the papers' for the papers' sizes, and for mini the one that needs no download."""
        return self.options.codec or ("world" if self._mini else "encodec")

    @property
    def inference_config(self) -> str:
        """Of decoding: the papers' way, or what is best for mini."""
        usual = "decode" if self._mini else "decode_paper"
        usual = "decode_ns2" if self.options.model == NS2 else usual
        return self.options.inference_config or f"{CONF}/{usual}.yaml"

    @property
    def codec_config(self) -> str:
        """Of the codec; empty where it has none."""
        usual = f"{CONF}/codec/{self.codec}.yaml"
        return self.options.codec_config or (usual if Path(usual).is_file() else "")

    @property
    def score_config(self) -> str:
        """Scorers, protocol and metrics."""
        own = "default" if self.options.pairs == PAIRS else self.options.pairs.removeprefix(f"{PAIRS}_")
        return self.options.score_config or f"{CONF}/score/{own}.yaml"

    @property
    def baseline_conf(self) -> str:
        """Folder of the baselines' configs."""
        size = "mini" if self._mini else "full"
        return self.options.baseline_conf or f"{CONF}/baseline/{size}"

    @property
    def configs(self) -> list[str]:
        """Configurations of all stages."""
        options = self.options
        files = [self._train_config(getattr(options, f"{kind}_config"), kind) for kind in self.kinds]
        files += [self.inference_config, options.judge_config]
        files += [self.score_config, self.finetune_config, options.phone_chooser_config]
        files += [options.detector_config, options.emotion_config, options.language_config]
        return files + [file for file in (self.codec_config, options.cluster, options.card_config) if file]
