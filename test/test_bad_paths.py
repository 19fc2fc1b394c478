"""Every command of the table, given a path or a text that cannot be: one line, before there is any work."""

import re
import signal
from importlib import import_module

import pytest
from least_options import LEAST, words, write_inputs

from espnet2_valle.commands import COMMANDS
from espnet2_valle.common import lock
from espnet2_valle.common.cli import run_command

BY_WORDS = {command.words: command for command in COMMANDS}
LIMIT = 30  # seconds, after which a command is at work that should have refused
LINES = [(name, line) for name, lines in LEAST.items() for line in lines]


def places(start):
    """Command, line and word of each path of the lines that begins with one of `start`."""
    return [
        pytest.param(name, line, word, id=f"{name} {word}")
        for name, line in LINES
        for word in dict.fromkeys(re.findall(r"\{(?:in|out|conf)\}\S*", line))
        if word.startswith(start)
    ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given") / "in"
    write_inputs(folder)
    return folder


@pytest.fixture(autouse=True)
def _limit():
    def stop(*_):
        raise AssertionError("the command is at work")

    former = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


def refusal(name, line, inputs, outputs, *more):
    """What a command ends with, which must be an error of one line."""
    command = BY_WORDS[name]
    main = import_module(f"espnet2_valle.bin.{command.module}").main
    argv = [*([command.argument] if command.argument else []), *words(line, inputs, outputs), *more]
    with pytest.raises(SystemExit) as ended:
        run_command(main, argv)
    said = str(ended.value.code)
    assert said.startswith("error: ")
    assert "\n" not in said
    return said


def test_every_command_of_the_table_has_a_line():
    assert set(LEAST) == set(BY_WORDS)


@pytest.mark.parametrize(("name", "line", "word"), places("{out}"))
@pytest.mark.parametrize("case", ["denied", "under a file", "another kind"])
def test_an_output_that_cannot_be_is_refused_before_the_work(name, line, word, case, inputs, tmp_path):
    last = word.split("/")[-1]
    bad = {
        "denied": f"/proc/denied/{last}",  # to root too
        "under a file": f"{{in}}/text.txt/{last}",
        "another kind": str(tmp_path / "kind" / last),
    }[case]
    if case == "another kind":
        (tmp_path / "kind").mkdir()
        if "." in last:
            (tmp_path / "kind" / last).mkdir()
        else:
            (tmp_path / "kind" / last).write_text("")
    said = refusal(name, line.replace(word, bad), inputs, tmp_path)
    assert bad.format(**{"in": inputs}) in said


@pytest.mark.parametrize(("name", "line", "word"), places(("{in}", "{conf}")))
def test_an_input_that_is_not_there_is_told_before_the_work(name, line, word, inputs, tmp_path):
    gone = word.replace("{in}", "{in}/gone").replace("{conf}", "{in}/gone")
    said = refusal(name, line.replace(word, gone), inputs, tmp_path)
    assert f"{inputs}/gone" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["say", "evaluate", "data format", "codec tokenize"])
def test_two_do_not_work_in_one_output_folder(name, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    line = next(line for line in LEAST[name] if "--output_dir" in line)
    folder = words(line, inputs, tmp_path)[words(line, inputs, tmp_path).index("--output_dir") + 1]
    with lock.only_one(folder, lock.WORK):
        said = refusal(name, line, inputs, tmp_path)
    assert re.match(rf"error: {folder}: process \d+ of .* is at work there. Wait for its end", said)


EMPTY = ["", "   ", "...", "—"]
SAY = "--model_tag {in}/model.zip --prompt_speech {in}/voice.wav --output_wav {out}/speech.wav"
TEXTS = {
    "say": (f"{SAY} --prompt_text hello", "--text"),
    "stream": (f"{SAY} --prompt_text hello", "--text"),
    "longform": (f"{SAY} --prompt_text hello", "--text_file"),
    "prompt": (
        "--prompt_speech {in}/voice.wav --codec_config {in}/codec.yaml --output {out}/v.npz",
        "--prompt_text",
    ),
}
TEXTS |= {f"{name} ": (f"{SAY} --text hello", "--prompt_text") for name in ("say", "stream")}
TEXTS |= {"longform ": (f"{SAY} --text_file {{in}}/text.txt", "--prompt_text")}


@pytest.mark.parametrize("text", EMPTY)
@pytest.mark.parametrize(("name", "line"), TEXTS.items(), ids=lambda one: str(one)[:12])
def test_a_text_without_words_is_refused_before_models_are_opened(name, line, text, inputs, tmp_path):
    options, last = line
    if last == "--text_file":
        (tmp_path / "text").write_text(text)
        text = str(tmp_path / "text")
    said = refusal(name.strip(), options, inputs, tmp_path / "out", last, text)
    assert re.match(rf"error: ({last}|text: has no sentence|{last[2:]}: is empty|{text}: is empty)", said)


@pytest.mark.parametrize("name", ["say", "stream", "longform"])
def test_a_recogniser_that_is_not_there_is_told_before_models_are_opened(name, inputs, tmp_path):
    text = ("--text_file", str(inputs / "text.txt")) if name == "longform" else ("--text", "hello")
    said = refusal(name, SAY, inputs, tmp_path, *text, "--recognizer", str(tmp_path / "judge"))
    assert said.startswith(
        f"error: {tmp_path}/judge/config.yaml: no such file, so there is no trained recogn"
    )


@pytest.mark.parametrize("name", ["say", "stream", "longform"])
def test_a_prompt_that_is_no_sound_is_refused_before_models_are_opened(name, inputs, tmp_path):
    text = ("--text_file", str(inputs / "text.txt")) if name == "longform" else ("--text", "hello")
    line = SAY.replace("voice.wav", "text.txt") + " --prompt_text hello"
    assert "text.txt: not a readable sound file" in refusal(name, line, inputs, tmp_path, *text)


@pytest.mark.parametrize(
    ("name", "line", "file", "content"),
    [
        ("evaluate", LEAST["evaluate"][1], "list", "p1|hello|voice.wav|\n"),
        ("evaluate", LEAST["evaluate"][1], "list", "p1|hello|voice.wav|...\n"),
        ("data tokenize", LEAST["data tokenize"][0], "data/text", "a1 \na2 hello\n"),
        ("say", LEAST["say"][2], "data/text", "a1 hello\na2\n"),
        ("evaluate", LEAST["evaluate"][0], "data/text", "a1 hello\na2 \n"),
        ("listening make", LEAST["listening make"][0], "data/pairs", ""),
        ("codec tokenize", LEAST["codec tokenize"][0], "data/wav.scp", ""),
        ("evaluate", LEAST["evaluate"][0], "data/pairs", ""),
        ("say", LEAST["say"][2], "data/pairs", "\n"),
        ("speaker embed", LEAST["speaker embed"][0], "data/wav.scp", "a1\n"),
    ],
)  # fmt: skip
def test_a_list_with_an_empty_text_is_refused_before_models_are_opened(name, line, file, content, tmp_path):
    write_inputs(tmp_path / "in")
    (tmp_path / "in" / file).write_text(content)
    said = refusal(name, line, tmp_path / "in", tmp_path / "out")
    assert str(tmp_path / "in" / file) in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "line", "option", "value"),
    [
        ("say", LEAST["say"][0], "--device", "tpu0"),
        ("say", LEAST["say"][0], "--device", "cuda:99"),
        ("say", LEAST["say"][2], "--batch_size", "0"),
        ("codec tokenize", LEAST["codec tokenize"][0], "--device", "gpu"),
        ("codec tokenize", LEAST["codec tokenize"][0], "--nj", "0"),
        ("data format", LEAST["data format"][0], "--nj", "-1"),
        ("asr train", LEAST["asr train"][0], "--max_passes", "-1"),
        ("codec tokenize", LEAST["codec tokenize"][0], "--shard_size", "0"),
        ("codec tokenize", LEAST["codec tokenize"][0], "--batch_size", "-1"),
        ("codec resynthesize", LEAST["codec resynthesize"][0], "--codebooks", "0"),
        ("speaker embed", LEAST["speaker embed"][0], "--encoder", "none"),
        ("speaker embed", LEAST["speaker embed"][0], "--seconds", "0"),
        ("stream", LEAST["stream"][0], "--first_chunk_seconds", "-1"),
        ("stream", LEAST["stream"][0], "--chunk_seconds", "nan"),
        ("stream", LEAST["stream"][0], "--max_words", "0"),
        ("data format", LEAST["data format"][0], "--fs", "0"),
        ("data format", LEAST["data format"][0], "--min_duration", "30"),
        ("data tokenize", LEAST["data tokenize"][0], "--max_bad", "2"),
        ("data perturb", LEAST["data perturb"][0].removesuffix(" --factors 0.9"), "--factors", "0"),
        ("data folder", LEAST["data folder"][0], "--num_pairs", "0"),
        ("data folder", LEAST["data folder"][0], "--test_share", "1.5"),
        ("data corpus", LEAST["data corpus"][0], "--min_cut", "500"),
        ("plan", LEAST["plan"][0], "--peak_tflops", "0"),
        ("asr check", LEAST["asr check"][0], "--count", "0"),
        ("report", LEAST["report"][0], "--num_examples", "-1"),
        ("study", LEAST["study"][0], "--num_pairs", "0"),
        ("study", LEAST["study"][0], "--batch_size", "0"),
        ("plan", LEAST["plan"][0], "--hours", "0"),
        ("plan", LEAST["plan"][0], "--num_gpus", "0"),
        ("plan", LEAST["plan"][0], "--num_codebooks", "0"),
        ("listening serve", LEAST["listening serve"][0], "--port", "99999"),
        ("listening serve", LEAST["listening serve"][0], "--raters_per_day", "0"),
        ("benchmark decode", LEAST["benchmark decode"][0], "--num_threads", "0"),
        ("benchmark index", LEAST["benchmark index"][0], "--num_utterances", "0"),
        ("benchmark streaming", LEAST["benchmark streaming"][1], "--seconds", "0"),
        ("benchmark train", LEAST["benchmark train"][0], "--steps", "0"),
        ("benchmark startup", LEAST["benchmark startup"][0], "--rounds", "0"),
        ("baseline infer", LEAST["baseline infer"][0], "--device", "cuda:99"),
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_refused_before_the_work(name, line, option, value, inputs, tmp_path):
    said = refusal(name, line, inputs, tmp_path / "out", option, value)
    assert option in said or repr(value) in said
