"""Checks of a run, before its stages begin and before each of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from espnet2_valle.common.checks import check_output_folder, check_packed
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.recipe.baselines import baseline_names, trained_baselines
from espnet2_valle.recipe.names import CONF, PAIRS, TEST
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import (
    CODEC,
    FIRST,
    LAST,
    PACK,
    SCORE,
    TRAINING_STAGES,
    UPLOAD,
    Settings,
)

FEWEST_SPEAKERS = 3  # for a detector: to learn from, to choose by, to test on
WORLD = "world"  # the codec whose config is looked at
# Names that ESPnet's trainer gives.
CHECKPOINT = re.compile(r"latest\.pth|\d+epoch\.pth|(train|valid)\.\w+\.(best|ave(_\d+best)?)\.pth")
OWN_SYSTEMS = ("ground_truth", "codec")  # as score and report know them, beside the model
SEVERAL = re.compile(r"^best_of: *([2-9]|[1-9][0-9])", re.MULTILINE)
BEST_OF = re.compile(r"(^| )--best_of[ =]")
ENGLISH_G2P = re.compile(r"g2p_en|espeak_ng_english|none")
ENGLISH_SPEECH = re.compile(r"en|und", re.IGNORECASE)
CODEC_TYPE = re.compile(r"^type: *([a-z]+)", re.MULTILINE)
SAMPLE_RATE = re.compile(
    r"^sample_rate: *([0-9]+)", re.MULTILINE
)  # not indented: not that of a codec's training


def check_settings(settings: Settings) -> None:
    """Check what no stage has to be begun for.

    Raises:
        InputError: a config is missing, or options do not go together.
    """
    options = settings.options
    for name in ("datadir", "dumpdir", "expdir"):
        check_output_folder(getattr(options, name), f"--{name}")
    if options.textgrids and not Path(options.textgrids).is_dir():
        raise InputError("--textgrids", f"{options.textgrids}: no such folder", "Correct the path")
    if not settings.stages:
        raise InputError(
            "--stage",
            f"{options.stage}, --stop_stage {options.stop_stage} and what is skipped leave no stage to run",
            "Add --skip_upload_hf false --hf_repo LAB/NAME"
            if options.stage == UPLOAD and options.skip_upload_hf
            else f"Give stages of {FIRST} to {LAST}",
        )
    for file in settings.configs:
        _check_config(file)
    _check_choices(settings)
    _check_rate(settings)
    _check_gpus(settings)
    baseline_names(options)
    for kind in trained_baselines(options):
        _check_config(f"{settings.baseline_conf}/{kind}.yaml")
    taken = {*OWN_SYSTEMS, options.model, *baseline_names(options)}
    for word in options.systems.split():
        name, _, path = word.partition("=")
        if not name or not path:
            raise InputError("--systems", f"'{word}' is not NAME=FOLDER", "Give such as theirs=/their/wavs")
        if name in taken or "/" in name:
            raise InputError("--systems", f"'{name}' is taken or has a slash", "Give it another name")
        taken.add(name)
        if not Path(path).exists():
            raise InputError(
                "--systems",
                f"{path}: no such folder or wav.scp (relative to {Path.cwd()})",
                "Correct the path",
            )
    if settings.sources:
        check_tested(settings)
    if options.phone_chooser:
        check_candidates(settings)
    if options.gpu_inference and not options.cluster:
        from espnet2_valle.common.machine import gpus  # which asks torch

        if not gpus():
            raise InputError(
                "--gpu_inference",
                "torch finds no GPU here",
                "Leave it out, or say where GPUs are by --cluster",
            )
    check_begun_codec(settings)
    if UPLOAD in settings.stages:
        from espnet2_valle.zoo.hub import check_token  # only now: it asks huggingface_hub

        check_token()
    if not options.train_set and not options.download_model and options.stop_stage > 2:
        raise InputError(
            f"--corpus {options.corpus}",
            "has a test set only",
            "Name a packed model to score on it with --download_model",
        )
    if options.train_share and not Path(settings.whole_exp, "codec", ".done").is_file():
        raise InputError(
            "--train_share",
            f"{settings.whole_exp} has no codec yet",
            "Run stages 1 to 4 without --train_share first",
        )


def check_tested(settings: Settings) -> None:
    """Raise InputError if several corpora have no such test set."""
    sets = [TEST, *(f"{TEST}_{source.name}" for source in settings.sources)]
    if settings.options.test_sets not in sets:
        raise InputError(
            "--test_sets",
            f"the corpora have no test set '{settings.options.test_sets}'",
            f"Choose among {' '.join(sets)}",
        )


def _check_config(file: str) -> None:
    if not Path(file).is_file():
        raise InputError(file, f"no such config (relative to {Path.cwd()})", "Correct the path")
    from espnet2_valle.common.conf import read_config  # only now: it reads YAML

    read_config(file)  # which may name a base


def _check_choices(settings: Settings) -> None:
    """Raise InputError for a model, codec, way to read texts, cluster or checkpoint that there is not."""
    options, usual = settings.options, Options()
    if options.download_model:
        check_packed(options.download_model, "--download_model")
    elif not CHECKPOINT.fullmatch(options.inference_model):
        raise InputError(
            "--inference_model",
            f"'{options.inference_model}' is no name of a checkpoint",
            "Give such as valid.loss.ave.pth, valid.loss.best.pth or latest.pth",
        )
    if options.card_config:
        from espnet2_valle.common.options import load
        from espnet2_valle.zoo.card import Statements

        load(Statements, options.card_config, "--card_config")
    if options.cluster:
        from espnet2_valle.jobs.config import ClusterConfig  # only now: help needs nothing installed

        ClusterConfig.load(options.cluster)
    if settings.codec != WORLD:
        from espnet2_valle.codec.build import CODECS

        CODECS.check_name(settings.codec)
    elif options.codec_config:
        from espnet2_valle.codec.world_config import WorldConfig
        from espnet2_valle.common.conf import read_config

        WorldConfig.from_dict(read_config(options.codec_config, "--codec_config"), options.codec_config)
    packed = options.init_model or options.download_model  # which has its own way of reading
    reading = (options.token_type, options.g2p, options.cleaner)
    is_usual = reading == (usual.token_type, usual.g2p, usual.cleaner)
    if not packed and not is_usual and options.token_type != "bpe":
        from espnet2_valle.text.tokenizer import build_tokenizer

        build_tokenizer(*reading)


def _check_gpus(settings: Settings) -> None:
    """Raise InputError if a training of this machine is to run on a GPU that it lacks.

    What a launcher starts elsewhere is told there.
    """
    options = settings.options
    if options.ngpu != 1 or options.num_nodes != 1 or not {*TRAINING_STAGES} & {*settings.stages}:
        return
    from espnet2_valle.common.machine import gpus  # which asks torch

    if not gpus():
        raise InputError("--ngpu", "torch finds no GPU here", "Give --ngpu 0, or run it where there is one")


def _check_rate(settings: Settings) -> None:
    """Raise InputError if the config of a codec that is to be made says another rate than --fs."""
    options = settings.options
    if not settings.codec_config or options.init_model or options.download_model:
        return
    from espnet2_valle.common.conf import read_config  # only now: it reads YAML

    rate = read_config(settings.codec_config, "--codec_config").get("sample_rate")
    if rate not in (None, options.fs):
        raise InputError(
            "--fs",
            f"{options.fs} Hz, and the codec of {settings.codec_config} works at {rate} Hz",
            f"Give --fs {rate}, or another --codec_config",
        )


def check_begun_codec(settings: Settings) -> None:
    """Raise InputError if stage 4 would put the default codec in the place of another, unasked."""
    options = settings.options
    path = Path(settings.exp, "codec", "codec.yaml")
    if options.codec or options.init_model or CODEC not in settings.stages or not path.is_file():
        return
    found = CODEC_TYPE.search(read_text(path))
    if found and found[1] != settings.codec:
        raise InputError(
            "--codec",
            f"{settings.exp} was begun with {found[1]}, and --model_size {options.model_size} means "
            f"{settings.codec}",
            f"Add --codec {found[1]} to go on with it, or give another --tag",
        )


def check_candidates(settings: Settings) -> None:
    """Raise InputError if there would be nothing for the chooser of candidates to choose from."""
    options = settings.options  # valle_inference looks at the number
    if BEST_OF.search(options.inference_args) or SEVERAL.search(read_text(settings.inference_config)):
        return
    raise InputError(
        "--phone_chooser", "a single candidate leaves it no choice", 'Add --inference_args "--best_of 8"'
    )


def check_stage(settings: Settings, stage: int) -> None:
    """Check what a stage needs from earlier ones, and what later ones will need.

    Raises:
        InputError: a marker of an earlier stage is missing; there is no such list of pairs; the recogniser of
            stage 8 would hear another language than its own, or none would hear that of a text; one of labels
            would have nothing to tell apart.
    """
    for marker, needed in needs(settings, stage):
        if not Path(marker).is_file():
            raise InputError(
                marker,
                f"is not there, and stage {stage} needs what stage {needed} writes",
                f"Run stage {needed} first: --stage {needed}",
            )
    if stage == 7:
        test = f"{settings.raw}/{settings.options.test_sets}"
        if not Path(test, settings.options.pairs).is_file():
            raise InputError(
                "--pairs", f"{test} has no list '{settings.options.pairs}'", f"Give such as {PAIRS}"
            )
    if stage == 2:
        check_texts(settings)
    if stage > 1 and SCORE in settings.stages:
        check_language(settings)
        check_judges(settings)
        check_systems(settings)
        check_detector(settings)
        check_labels(settings)


def check_detector(settings: Settings) -> None:
    """Raise InputError if the test set has too few speakers to train a detector and to test it on others."""
    speakers = Path(settings.data, settings.options.test_sets, "spk2utt")
    if not settings.options.detector or not speakers.is_file():
        return
    with speakers.open(encoding="utf-8") as lines:
        count = sum(1 for _ in lines)
    if count < FEWEST_SPEAKERS:
        raise InputError(
            "--detector",
            f"the test set {speakers.parent} has {count} speakers, too few",
            f"Leave it out, or give a test set of {FEWEST_SPEAKERS} or more",
        )


def check_labels(settings: Settings) -> None:
    """Raise InputError if recordings do not tell what a recogniser of emotions or languages is to learn."""
    options = settings.options
    asked = {"emotion": options.emotion_recognizer, "language": options.language_recognizer}
    learnt = Path(settings.data, options.train_set)
    if not any(asked.values()) or not learnt.is_dir():
        return
    from espnet2_valle.data.datadir import read_if_there  # only now: help needs nothing installed
    from espnet2_valle.labels.kinds import LABELS
    from espnet2_valle.labels.training import FEWEST, labels_of

    for label in LABELS:
        if asked[label.name]:
            labels_of(label, read_if_there(learnt / label.file).values(), learnt, FEWEST)


def needs(settings: Settings, stage: int) -> Iterator[tuple[str, int]]:
    """Markers that a stage needs, and which stage writes each."""
    options, exp = settings.options, settings.exp
    sets = settings.sets.split()
    trained = [settings.train_set, options.valid_set]
    recorded = [options.train_set, options.valid_set]
    if stage == 2:
        yield f"{settings.data}/.done", 1
    if stage in (3, 4) or (stage == 6 and options.baseline):
        yield from ((f"{settings.raw}/{name}/.done", 2) for name in sets)
    if stage == 4 or (stage == 6 and options.baseline):
        yield from ((f"{settings.token}/{name}/.done", 3) for name in sets)
    if stage in (5, 6):
        yield from ((f"{settings.token}/{name}/.done", 3) for name in trained)
        yield from ((f"{settings.index}/{name}/.done", 4) for name in trained)
    if stage == 7:
        yield f"{settings.raw}/{options.test_sets}/.done", 2
    if stage in (7, 10) and not options.download_model:
        yield from ((f"{exp}/{kind}/.done", number) for number, kind in enumerate(settings.kinds, 5))
        yield f"{exp}/codec/.done", 4
    if stage == UPLOAD:
        yield settings.pack_done, PACK
    if stage == 7 and options.phone_chooser:
        yield from ((f"{settings.raw}/{name}/.done", 2) for name in recorded)
    if stage == 7:
        yield from ((f"{exp}/{kind}/.done", 6) for kind in baseline_names(options))
    if stage == 8:
        yield f"{settings.decode}/.done", 7
        yield f"{settings.resynthesis}/.done", 7
        if has_vocabulary(settings) or options.emotion_recognizer or options.language_recognizer:
            yield from ((f"{settings.raw}/{name}/.done", 2) for name in recorded)
    if stage == 9:
        yield f"{settings.results}/.done_score", 8
    if stage in (8, 9):
        suffix = settings.pairs_suffix
        yield from ((f"{exp}/{kind}/decode{suffix}/.done", 7) for kind in baseline_names(options))


def check_systems(settings: Settings) -> None:
    """Raise InputError if another's system has a sound file for none of the pairs."""
    options = settings.options
    path = Path(settings.data, options.test_sets, options.pairs)
    if not options.systems or not path.is_file():
        return
    from espnet2_valle.data.pairs import read_pairs
    from espnet2_valle.evaluation.lists import read_outputs

    pairs = [pair.pair_id for pair in read_pairs(path)]
    for name, _, folder in (word.partition("=") for word in options.systems.split()):
        found = read_outputs(folder)
        if not any(pair in found for pair in pairs):
            raise InputError(
                f"--systems {name}",
                f"{folder} has a sound file for none of the {len(pairs)} pairs of {path}",
                f"Name them by pair, such as {pairs[0]}.wav",
            )


def check_texts(settings: Settings) -> None:
    """Raise InputError at texts, or an utt2lang, of another language than the g2p reads, before stage 2.

    A packed model that decodes has its own g2p; where all texts may be bad, they may be of any language.
    """
    options = settings.options
    if options.token_type != "phn" or options.download_model or float(options.max_bad) >= 1:
        return
    # Only now: the recipe's help needs nothing installed.
    from espnet2_valle.data.languages import check_languages, open_texts
    from espnet2_valle.data.tables import Table
    from espnet2_valle.text.multilingual import check_names

    for name in (options.train_set, options.valid_set, options.test_sets):
        texts, languages = (Path(settings.data, name, file) for file in ("text", "utt2lang"))
        if languages.is_file():
            check_names(Table(languages), options.g2p, str(languages))
        if texts.is_file():
            check_languages(open_texts(texts.parent, "phn", options.g2p), options.g2p, str(texts))


def has_vocabulary(settings: Settings) -> bool:
    """Tell whether the corpus has but few words, for which a recogniser is trained."""
    return Path(settings.data, "vocabulary").is_file()


def check_language(settings: Settings) -> None:
    """Raise InputError if pocketsphinx would score another language than English.

    Who gives a `--score_config` knows its recogniser; for a closed vocabulary one is trained.
    """
    if settings.options.score_config or has_vocabulary(settings):
        return
    found = other_language(settings)
    if found:
        raise InputError(
            "--score_config",
            f"the test set is not English ({found}), and its recogniser would be pocketsphinx, "
            "which hears English only",
            f"Give a config with another judge: {CONF}/score/aishell3.yaml is for Mandarin, and a copy of it "
            "with another language for that one. Or train without scores: --skip_eval true",
        )


def check_judges(settings: Settings) -> None:
    """Raise InputError if a scoring config has judges by language, but none of that of a text to be said."""
    options = settings.options
    test = Path(settings.data, options.test_sets)
    pairs = test / options.pairs
    if not options.score_config or not pairs.is_file():
        return
    from espnet2_valle.evaluation.settings import read_settings  # only now: help needs nothing installed

    judged = read_settings(options.score_config).by_language
    if not judged:
        return
    from espnet2_valle.data.datadir import read_if_there
    from espnet2_valle.data.languages import UTT2LANG
    from espnet2_valle.data.pairs import read_pairs
    from espnet2_valle.evaluation.inputs import judged_language

    told = read_if_there(test / UTT2LANG)
    for pair in read_pairs(pairs):
        judged_language(pair.target_utt, told, judged, test / UTT2LANG)


def other_language(settings: Settings) -> str:
    """Return the evidence that the test set is not English; empty if there is none."""
    options = settings.options
    path = Path(settings.data, options.test_sets, "utt2lang")
    if path.is_file():
        languages = (line.split()[1] for line in read_text(path).splitlines() if line.strip())
        return next((f"utt2lang: {each}" for each in languages if not ENGLISH_SPEECH.match(each)), "")
    if options.token_type == "phn" and not ENGLISH_G2P.match(options.g2p):
        return f"--g2p {options.g2p}"
    return ""


def check_codec(settings: Settings) -> None:
    """Raise InputError if the codec works at another rate than the recordings were brought to."""
    found = SAMPLE_RATE.search(read_text(f"{settings.exp}/codec/codec.yaml"))
    rate = found[1] if found else ""
    if rate != str(settings.options.fs):
        raise InputError(
            "--fs",
            f"stage 2 wrote {settings.options.fs} Hz and the codec works at {rate} Hz",
            f"Run stages 2 to 4 with --fs {rate}",
        )
