"""The commands of `valle`, a line each.

setup.py runs this file to register the scripts, and `valle --help` reads it: it imports nothing heavy.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """A command of `valle`.

    Attributes:
        words: that follow `valle`: its name, or its group and its name.
        module: of espnet2_valle/bin, with a function `main`.
        help: one line.
        old: the console script that it was, with the word that chose it where a script did several things.
            It works for one release more.
        argument: given to the module before all others, where one module serves several commands.
    """

    words: str
    module: str
    help: str
    old: str = ""
    argument: str = ""


def _benchmark(name: str, purpose: str, old: str | None = None) -> Command:
    """A benchmark: a module of espnet2_valle/bench with `add_arguments` and `measure`."""
    return Command(f"benchmark {name}", "benchmark", purpose, old or f"valle_benchmark {name}", name)


OF_THE_RECIPE = ("recipe", "step")  # modules of espnet2_valle/bin that egs2/valle alone starts
GROUPS = {
    "data": "recordings and texts, up to what training reads",
    "codec": "a neural codec: fit it, code speech, hear what it does",
    "asr": "the speech recognisers that score",
    "speaker": "voices as vectors",
    "emotion": "recognisers of emotions",
    "language": "recognisers of spoken languages",
    "detector": "telling synthetic speech from real",
    "baseline": "ESPnet's own TTS systems, on the same data",
    "listening": "listening tests: MOS, SMOS, CMOS, MUSHRA",
    "benchmark": "speed and memory on this machine",
}
COMMANDS = (
    Command("say", "valle_inference", "say a text, or a list of texts, in given voices", "valle_inference"),
    Command("stream", "valle_stream", "say a text while it is still being made", "valle_stream"),
    Command("longform", "valle_longform", "read a long text aloud: paragraphs, chapters", "valle_longform"),
    Command("serve", "serve", "serve a model over HTTP, as OpenAI's clients expect it"),
    Command("demo", "demo", "serve a page to try a model in a browser"),
    Command("prompt", "valle_prepare_prompt", "make a recording a prompt", "valle_prepare_prompt"),
    Command("train", "valle_train", "train an AR or a NAR model with ESPnet's trainer", "valle_train"),
    Command("train-ns2", "ns2_train", "train a NaturalSpeech 2 model with ESPnet's trainer"),
    Command("finetune", "finetune_base", "lay out a packed model to be fine-tuned", "valle_finetune_base"),
    Command("plan", "plan", "foretell the memory and the days of a training", "valle_plan"),
    Command("pack", "pack", "pack a trained model into one zip", "valle_pack"),
    Command("upload", "upload", "upload a packed model to the HuggingFace hub"),
    Command("detect", "detect", "tell whether sound files carry the watermark, and which payload"),
    Command("evaluate", "score", "score systems side by side", "valle_score"),
    Command("report", "report", "write the report of a run, one HTML file", "valle_report"),
    Command("study", "study", "compare ways to decode, or several runs", "valle_study"),
    Command("data mini", "prepare_mini", "generate the embedded corpus `mini`", "valle_prepare_mini"),
    Command("data mini-x", "prepare_mini_x", "generate the embedded corpus `mini_x`, of several languages"),
    Command(
        "data mini-emo", "prepare_mini_emo", "generate the embedded corpus `mini_emo`, of several emotions"
    ),
    Command("data folder", "prepare_folder", "prepare any folder of recordings", "valle_prepare_folder"),
    Command("data corpus", "prepare_corpus", "prepare a named corpus, or fetch it", "valle_prepare_corpus"),
    Command("data combine", "combine_data", "put the sets of several corpora together"),
    Command("data format", "format_data", "make every recording mono FLAC at one rate", "valle_format_data"),
    Command("data perturb", "perturb_speed", "add copies at other speeds", "valle_perturb_speed"),
    Command("data read-aloud", "read_aloud", "add sentences that espeak-ng reads", "valle_read_aloud"),
    Command("data tokenize", "tokenize_text", "turn transcripts into token ids", "valle_tokenize_text"),
    Command("data style", "measure_style", "measure rate, pitch and energy of utterances (stage 4)"),
    Command("data timing", "time_frames", "find the token and the pitch of each frame"),
    Command("data sentences", "sentence_pairs", "make pairs of sentences that nobody has recorded"),
    Command("data index", "build_index", "write the training index", "valle_build_index"),
    Command("codec fit", "codec_fit", "fit a codec, or check a trained one", "valle_codec_fit"),
    Command("codec tokenize", "codec_tokenize", "turn speech into codes", "valle_codec_tokenize"),
    Command("codec resynthesize", "codec_resynthesize", "code and decode", "valle_codec_resynthesize"),
    Command("asr train", "judge_train", "train a small CTC recogniser", "valle_judge_train"),
    Command("asr check", "judge_check", "score real speech and its resynthesis", "valle_judge_check"),
    Command("speaker embed", "speaker_embed", "write speaker embeddings", "valle_speaker_embed"),
    Command("emotion train", "emotion_train", "train a recogniser of emotions"),
    Command("language train", "language_train", "train a recogniser of spoken languages"),
    Command("detector train", "detector_train", "train one, and measure it on unheard speakers and systems"),
    Command("baseline stats", "baseline_stats", "collect shapes and statistics", "valle_baseline_stats"),
    Command("baseline train", "baseline_train", "train a system", "valle_baseline_train"),
    Command("baseline durations", "baseline_durations", "time tokens", "valle_baseline_durations"),
    Command("baseline infer", "baseline_inference", "synthesise pairs", "valle_baseline_inference"),
    Command("listening make", "listening_make", "make a test", "valle_listening_test --make"),
    Command("listening serve", "listening_serve", "serve it", "valle_listening_test --serve"),
    Command("listening analyse", "listening_analyse", "analyse ratings", "valle_listening_test --analyse"),
    _benchmark("bookkeeping", "stages 1 to 4 without their work: seconds and memory by utterances"),
    _benchmark("codec", "a world codec on speakers and recordings unheard", "valle_benchmark_codec"),
    _benchmark("decode", "decoding with random weights: cache, batches, memory bandwidth, real time"),
    _benchmark("index", "the training index: memory, time to open, to plan a pass, to the first batch"),
    _benchmark("machine", "rates of products by type of number, and what is chosen for this machine"),
    _benchmark("threads", "a training step beside busy processes, by threads and how they wait"),
    _benchmark("train", "a training step against the matrix-multiply rate of the machine"),
    _benchmark("startup", "CPU time of importing synthesis, beside models, codec and tokens, and torch"),
    _benchmark("first_sound", "from pip install to the first sound of a packed model"),
    _benchmark("streaming", "time to the first sound of a stream, and the largest gap behind it"),
    _benchmark("serve", "the service against the bare decoder, and minutes of trouble for it"),
    _benchmark("tokenize", "tokenising with two workers over one"),
    _benchmark("score", "scoring with two workers over one"),
    _benchmark("longform", "likeness to the prompt over position, and memory, of a long text"),
    _benchmark("style", "rate, pitch, energy and emotion of what a model says, against what was asked for"),
    _benchmark("control", "speed and pitch of a NaturalSpeech 2 model, against what was asked for"),
    _benchmark("diffusion", "speed of a NaturalSpeech 2 model with random weights, by steps of the solver"),
    _benchmark("watermark", "a watermark: heard or not, found after attacks, seen by chance"),
)
OLD_SCRIPTS = sorted({command.old.split()[0] for command in COMMANDS if command.old})
