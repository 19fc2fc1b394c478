"""Options of the recipe: names, defaults, help, and Kaldi's convention by which they are given.

Standard library only: options are checked before anything is installed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from functools import partial
from typing import Any

from espnet2_valle.common.errors import InputError

SCRIPT = "./valle.sh"
HELP = {"--help", "-h"}
BOOLEANS = {"true": True, "false": False}
MODELS = {"valle": ("ar", "nar"), "ns2": ("ns2",)}  # name -> training directories
STAGES = (
    "1 data, 2 format, 3 text, 4 codec, 5 train AR, 6 train NAR, 7 decode, 8 score, 9 report, "
    "10 pack, 11 upload"
)
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
COUNT = re.compile(r"[1-9][0-9]*")
SHARE = re.compile(r"0?\.[0-9]*[1-9][0-9]*")
# Least and most of options that are numbers; where the default is empty, an empty one is too.
WHOLE_NUMBERS = {"nj": (1, math.inf), "inference_nj": (1, math.inf), "fs": (1, math.inf)}
WHOLE_NUMBERS |= {"nbpe": (1, math.inf), "num_nodes": (1, math.inf), "batch_size": (1, math.inf)}
NUMBERS = {"min_duration": (0, math.inf), "max_duration": (0, math.inf), "join_seconds": (0, math.inf)}
NUMBERS |= {"max_bad": (0, 1), "max_unknown": (0, 1), "baseline_minutes": (0, math.inf)}
TOKEN_TYPES = ("phn", "char", "bpe")
# Options that only one model has.
OF_VALLE = ("ar_config", "nar_config", "ar_args", "nar_args", "join_seconds", "add_tokens", "corpus_weights")
OF_NS2 = ("ns2_config", "ns2_args", "textgrids", "align_phones")
PAIR_LIST = re.compile(r"pairs(_\w+)?")


def _option(group: str, default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"group": group, "help": help_text})


_general = partial(_option, "General")
_data = partial(_option, "Data")
_text = partial(_option, "Text")
_codec = partial(_option, "Codec")
_training = partial(_option, "Training")
_systems = partial(_option, "Systems to compare with")
_decoding = partial(_option, "Decoding")


@dataclass(frozen=True)
class Options:
    """Options of a run. Numbers that go to commands as they are given stay strings."""

    stage: int = _general(1, "first stage")
    stop_stage: int = _general(11, "last stage")
    skip_data_prep: bool = _general(False, "skip stages 1 to 4")
    skip_train: bool = _general(False, "skip stages 5 and 6")
    skip_eval: bool = _general(False, "skip stages 7 to 9")
    skip_upload_hf: bool = _general(True, "skip stage 11, the upload to the HuggingFace hub")
    card_config: str = _general(
        "", "what you say of the model in its card (stage 10): a copy of ../../conf/card.yaml, filled in"
    )
    hf_repo: str = _general("", "LAB/NAME that stage 11 uploads to; made if it is not there, for all to read")
    ngpu: int = _general(0, "GPUs a node for training; 0 trains on the CPU")
    num_nodes: int = _general(1, "nodes for training")
    nj: str = _general("", "workers of the data stages; default: one a core, as far as memory goes")
    inference_nj: str = _general("", "workers of decoding and scoring; default: nj")
    cluster: str = _general(
        "", "where workers run, ../../conf/cluster/*.yaml; default: processes of this machine"
    )
    gpu_inference: bool = _general(
        False, "codec, decoding, baselines and scores on GPUs: a worker on each that is visible, not nj"
    )
    batch_size: str = _general(
        "", "utterances at once in a worker, of codec and decoding; default: 1, with gpu_inference 16"
    )
    datadir: str = _general("data", "where the corpus is described")
    dumpdir: str = _general("dump", "where formatted data goes")
    expdir: str = _general("exp", "where models and results go")
    python: str = _general("", "default: the environment that path.sh chooses")

    corpus: str = _data("mini", "which corpus stage 1 prepares; several with spaces between")
    db: str = _data(
        "", "folder of the corpus, if it has one; of several, one each, names with spaces in quotes"
    )
    tag: str = _data(
        "mini", "name of the run: data/TAG, dump/TAG, exp/TAG; run.sh takes the corpus' name, or the folder's"
    )
    download: bool = _data(False, "fetch the corpus into db first, unless it is there")
    local_data_opts: str = _data(
        "", "more options of local/data.sh; of several corpora, those behind `NAME:` are for that one"
    )
    train_set: str = _data("train", "name of the training set")
    valid_set: str = _data("valid", "name of the validation set")
    test_sets: str = _data("test", "name of the test set; of several corpora, test_NAME is that of one alone")
    pairs: str = _data(
        "pairs",
        "list of the test set: pairs, pairs_continuation where the corpus has one (LibriSpeech), "
        "or pairs_across of several corpora in several languages",
    )
    fs: int = _data(24000, "Hz; the codec's rate")
    min_duration: str = _data("0.3", "seconds")
    max_duration: str = _data("20", "seconds")
    speed_perturb_factors: str = _data(
        "", 'such as "0.9 1.1": the training set gets copies at these speeds, as voices of their own'
    )
    read_aloud: str = _data(
        "",
        "sentences that espeak-ng's voices read, added to the training set: 6000 for one that is too small "
        "to learn reading from",
    )
    read_aloud_config: str = _data("", "voices and sentences; default: ../../conf/read_aloud.yaml (English)")
    max_bad: str = _data("0.01", "share of unusable sound files and texts that is left out with a warning")

    textgrids: str = _data(
        "", "ns2: folder of UTTERANCE.TextGrid with durations of words or phones; default: they are found"
    )
    align_phones: bool = _data(
        False,
        "ns2: train a recogniser of phones, from which the search for durations starts; for long recordings",
    )

    token_type: str = _text("phn", "phn, char or bpe")
    g2p: str = _text(
        "espeak_ng_english_us_vits",
        "for phn: of ESPnet, espeak:VOICE, or one for each language: 'en=espeak:en-us zh=pypinyin_g2p_phone'",
    )
    cleaner: str = _text("none", "of ESPnet")
    nbpe: int = _text(500, "pieces, for bpe")
    max_unknown: str = _text(
        "0.01", "share of the training texts' tokens that a model to be fine-tuned may lack"
    )

    codec: str = _codec(
        "",
        "world, encodec, espnet or lyra (with fs 16000); default: world for model_size mini, encodec for "
        "base and paper",
    )
    codec_config: str = _codec("", "default: ../../conf/codec/CODEC.yaml if there is one")
    codec_model: str = _codec("", "weights of a trained codec: a file; for lyra a folder")
    measure_style: bool = _codec(
        False,
        "measure rate, pitch and energy of training utterances, for models that are told them (valle_conf)",
    )
    shard_size: str = _codec(
        "", "utterances an archive of codes, the unit of resuming; default: 256, for large sets up to 4096"
    )

    join_seconds: str = _training(
        "",
        "longest training utterance made by joining two of a speaker, 0 for none; default: as the training "
        "config says (8 for mini, 0 for base and paper)",
    )
    corpus_weights: str = _training(
        "",
        'of several corpora: "NAME=2 NAME=0.5", how often a pass over the training set draws an utterance of '
        "each; default: once",
    )
    model: str = _training(
        "valle", "valle (AR and NAR model), or ns2 (NaturalSpeech 2: diffusion with durations and pitch)"
    )
    model_size: str = _training(
        "mini", "mini, base or paper: chooses the two configs, and the defaults of codec and decoding"
    )
    ar_config: str = _training("", "default: ../../conf/train_ar_MODEL_SIZE.yaml")
    nar_config: str = _training("", "default: ../../conf/train_nar_MODEL_SIZE.yaml")
    ns2_config: str = _training("", "of --model ns2; default: ../../conf/train_ns2_MODEL_SIZE.yaml")
    train_config: str = _training("", "one config for both, in place of the two")
    ar_args: str = _training("", 'options of valle_train, such as "--max_epoch 5"')
    nar_args: str = _training("", "the same for the NAR model")
    ns2_args: str = _training("", 'options of ns2_train, such as "--max_epoch 5"')
    train_args: str = _training("", "the same for both")
    train_share: str = _training(
        "",
        "such as 0.25: train once more on that share of the training set, in exp/TAG_SHARE "
        "(stages 5 and 6 alone)",
    )
    init_model: str = _training(
        "", "fine-tune this packed model (zip or model-zoo name); its codec and way of reading texts are used"
    )
    add_tokens: bool = _training(
        False, "give the model to be fine-tuned the tokens that it lacks; their embeddings are new"
    )
    finetune_config: str = _training(
        "", "how to fine-tune; default: ../../conf/finetune_lora.yaml, for ns2 ../../conf/finetune_ns2.yaml"
    )
    judge_config: str = _training(
        "../../conf/judge/train_asr_ctc.yaml", "of the recogniser that scores closed vocabularies"
    )
    score_config: str = _training("", "scorers, protocol and metrics; default: ../../conf/score/default.yaml")

    emotion_recognizer: bool = _training(
        False, "train a recogniser of emotions (utt2emo) in stage 8: what it hears of the systems is scored"
    )
    emotion_config: str = _training("../../conf/emotion/train_cls.yaml", "of that recogniser")
    language_recognizer: bool = _training(
        False, "the same of spoken languages (utt2lang): how well they are told tells of accent"
    )
    language_config: str = _training("../../conf/language/train_cls.yaml", "of that recogniser")

    baseline: str = _systems(
        "", 'of ESPnet\'s own TTS, trained here: "vits tacotron2 fastspeech2", one or more'
    )
    baseline_conf: str = _systems(
        "", "folder of their configs; default: ../../conf/baseline/mini, or full for larger model sizes"
    )
    baseline_minutes: str = _systems(
        "", "that each is trained; default: what VALL-E's two models took; 0: to the end of its config"
    )
    baseline_args: str = _systems("", 'options of ESPnet\'s training for them, such as "--max_epoch 5"')
    systems: str = _systems(
        "", 'others\' outputs for the same pairs: "NAME=FOLDER NAME=FOLDER", sound files named by pair'
    )

    detector: bool = _systems(
        False, "train a detector of the systems' speech in stage 8, and tell how well it does on unheard ones"
    )
    detector_config: str = _systems("../../conf/detector/train_asvspoof.yaml", "of that detector")

    inference_config: str = _decoding(
        "", "how to decode; default: ../../conf/decode.yaml for mini, ../../conf/decode_paper.yaml for larger"
    )
    inference_args: str = _decoding("", 'options of valle_inference, such as "--top_p 0.9"')
    phone_chooser: bool = _decoding(
        False,
        'train a recogniser of phones, which chooses among the candidates of --inference_args "--best_of 8"',
    )
    phone_chooser_config: str = _decoding("../../conf/judge/train_asr_ctc_phones.yaml", "of that recogniser")
    inference_tag: str = _decoding("", "results go to exp/TAG/decode_TAG instead of exp/TAG")
    inference_model: str = _decoding("valid.loss.ave.pth", "which checkpoint of the two models")
    download_model: str = _decoding(
        "",
        "decode with this packed model (zip or model-zoo name) and its codec; stages 3 to 6 and 10 are "
        "left out",
    )


FIELDS: dict[str, Field[Any]] = {each.name: each for each in fields(Options)}


def read_words(words: Sequence[str], script: str = SCRIPT) -> dict[str, str]:
    """Read `--some_name VALUE`, `--some-name VALUE` and `--some_name=VALUE`.

    Args:
        words: of the command line.
        script: whom errors name.

    Returns:
        option -> value, the last where one is given twice.

    Raises:
        InputError: a name that no option has, one without a value, or a word that is none.
    """
    given = {}
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        option, sign, value = word.partition("=")
        name = option[2:].replace("-", "_")
        if not word.startswith("--") or word == "--":
            unexpected = next(iter(remaining), None) if word == "--" else word
            if unexpected is None:
                break
            raise InputError(script, f"unexpected argument '{unexpected}'", f"See {script} --help")
        if name not in FIELDS:
            raise InputError(script, f"unknown option '{option}'", f"See {script} --help")
        if not sign:
            if not remaining:
                raise InputError(script, f"option '{word}' has no value", f"See {script} --help")
            value = remaining.pop(0)
        given[name] = value
    return given


def make_options(given: dict[str, str], script: str = SCRIPT) -> Options:
    """Options with the values that were given, of the right types.

    Raises:
        InputError: a value that cannot be one of its option.
    """
    typed: dict[str, Any] = {name: _typed(name, value, script) for name, value in given.items()}
    options = Options(**typed)
    _check(options)
    return options


def _typed(name: str, value: str, script: str) -> str | int | bool:
    kind = FIELDS[name].type
    if kind is bool:
        if value not in BOOLEANS:
            raise InputError(
                script, f"option '--{name}' is true or false, not '{value}'", f"See {script} --help"
            )
        return BOOLEANS[value]
    if kind is int:
        if not re.fullmatch("[0-9]+", value):
            raise InputError(f"--{name}", f"'{value}' is not a whole number", f"See {script} --help")
        return int(value)
    return value


def _check_numbers(options: Options) -> None:
    for name, (least, most) in {**WHOLE_NUMBERS, **NUMBERS}.items():
        given = str(getattr(options, name))
        if given == FIELDS[name].default == "":
            continue
        kind, convert = ("whole number", int) if name in WHOLE_NUMBERS else ("number", float)
        try:
            fits = least <= convert(given) <= most
        except ValueError as error:
            raise InputError(f"--{name}", f"'{given}' is not a {kind}", f"See {SCRIPT} --help") from error
        if not fits:
            limits = f"{least} to {most}" if most < math.inf else f"{least} or more"
            raise InputError(f"--{name}", f"{given} is out of range", f"Give {limits}")
    if float(options.min_duration) > float(options.max_duration):
        raise InputError(
            "--min_duration",
            f"{options.min_duration} s is more than --max_duration",
            "Lower it, or raise that",
        )


def _check_model(options: Options) -> None:
    """Raise InputError for a model that there is not, or options of another one."""
    if options.model not in MODELS:
        raise InputError("--model", f"there is no '{options.model}'", f"Choose among {', '.join(MODELS)}")
    ns2 = options.model == "ns2"
    others = OF_VALLE if ns2 else OF_NS2
    for name in others:
        if getattr(options, name) != FIELDS[name].default:
            raise InputError(f"--{name}", f"is not for --model {options.model}", "Leave it out")
    if options.textgrids and options.align_phones:
        raise InputError("--align_phones", "TextGrids tell durations already", "Leave one out")


def _check(options: Options) -> None:
    _check_numbers(options)
    if not PAIR_LIST.fullmatch(options.pairs):
        remedy = "Give pairs, pairs_continuation or pairs_across"
        raise InputError("--pairs", f"there is no list '{options.pairs}'", remedy)
    _check_model(options)
    if options.token_type not in TOKEN_TYPES:
        raise InputError(
            "--token_type", f"there is no '{options.token_type}'", f"Choose among {', '.join(TOKEN_TYPES)}"
        )
    if options.read_aloud and not COUNT.fullmatch(options.read_aloud):
        raise InputError(
            "--read_aloud", f"'{options.read_aloud}' is not a number of sentences", "Give such as 6000"
        )
    if options.shard_size and not COUNT.fullmatch(options.shard_size):
        raise InputError(
            "--shard_size", f"'{options.shard_size}' is not a number of utterances", "Give such as 1024"
        )
    if not TAG.fullmatch(options.tag):
        raise InputError(
            "--tag", f"'{options.tag}' cannot name a folder", "Use letters, digits, '.', '_' and '-'"
        )
    if " " in options.test_sets:
        raise InputError(
            "--test_sets",
            f"'{options.test_sets}': a run has one test set",
            "Give other sets a run with a --tag of their own",
        )
    if options.hf_repo and not REPOSITORY.fullmatch(options.hf_repo):
        raise InputError(
            "--hf_repo",
            f"'{options.hf_repo}' cannot name a repository",
            "Give LAB/NAME, such as lab/valle_mini",
        )
    if not options.skip_upload_hf and not options.hf_repo:
        raise InputError("--skip_upload_hf", "false, but no repository is named", "Add --hf_repo LAB/NAME")
    if options.train_share and not SHARE.fullmatch(options.train_share):
        raise InputError(
            "--train_share", f"'{options.train_share}' is not a number between 0 and 1", "Give such as 0.25"
        )
    if options.train_share and options.baseline:
        raise InputError("--train_share", "is for VALL-E's two models", "Leave out --baseline")
    if options.codec_model and (options.init_model or options.download_model):
        raise InputError(
            "--codec_model",
            "a packed model has its codec in it",
            "Leave it out with --init_model and --download_model",
        )
    if options.add_tokens and not options.init_model:
        raise InputError("--add_tokens", "there is no model to be fine-tuned", "Give --init_model, too")
    shapes = ("ar_config", "nar_config", "ns2_config", "train_config")
    if options.init_model and any(getattr(options, name) for name in shapes):
        raise InputError(
            "--init_model",
            "gives the models their shape",
            "Give --finetune_config in place of --ar_config, --nar_config, --ns2_config and --train_config",
        )
