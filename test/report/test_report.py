"""The report from a run of stub scores: whole, with parts missing, with hostile text."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image
from scoring_stubs import RATE, StubPlan, write

from espnet2_valle.bin import report, score
from espnet2_valle.common.errors import InputError
from espnet2_valle.report import write as write_module
from espnet2_valle.report.examples import AlignmentPicture
from espnet2_valle.report.media import alignment_uri

VOID = {"meta", "img", "br", "link", "input", "line", "circle", "polyline", "path"}
TEXTS = {"a1": "one two", "a2": "three", "b1": "four five", "b2": "two two one"}


class Page(HTMLParser):
    """Elements in order; fails on tags that do not close each other."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element (line {self.getpos()[0]})"

    def handle_data(self, data):
        self.words.append(data)

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def scp(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {value}\n" for key, value in sorted(entries.items())))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A scored run of three pairs, one without audio; returns its directory."""
    return make_run(tmp_path, monkeypatch)


def make_run(tmp_path, monkeypatch, texts=TEXTS, model="valle"):
    exp, data = tmp_path / "exp" / "demo", tmp_path / "dump"
    wavs = {u: write(data / f"{u}.wav", text, 0.9 if u[0] == "a" else 0.3) for u, text in TEXTS.items()}
    scp(data / "wav.scp", wavs)
    scp(data / "text", texts)
    (tmp_path / "pairs").write_text("p1 a2 a1 b1\np2 a1 a2 b1\np3 b2 b1 a1\n")
    for folder, said in (
        ("resynthesis", ("one two", "three", "four five")),
        ("decode", ("one one", "three")),
    ):
        outputs = {f"p{n}": write(exp / folder / f"p{n}.wav", text) for n, text in enumerate(said, 1)}
        scp(exp / folder / "wav.scp", outputs)
    scp(exp / "decode" / "outcomes", {"p1": "ok", "p2": "hit_length_cap", "p3": "prompt_rejected"})
    scp(exp / "stage_times", {"data": 3, "ar": 125})
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: StubPlan(str(tmp_path / "log")))
    options = ["--pairs", tmp_path / "pairs", "--data_dir", data, "--output_dir", exp]
    options += ["--system", f"codec={exp}/resynthesis/wav.scp", "--system", f"{model}={exp}/decode/wav.scp"]
    score.main([*map(str, options), "--outcomes", f"{model}={exp}/decode/outcomes"])
    return exp


def make(exp, *more):
    root = exp.parent.parent
    options = ["--exp_dir", exp, "--pairs", root / "pairs", "--data_dir", root / "dump", *more]
    report.main(list(map(str, options)))
    text = (exp / "report.html").read_text(encoding="utf-8")
    return Page(text), text


def test_a_second_speaker_encoder_is_shown_beside_the_first(run, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "DefaultPlan", lambda *_: StubPlan(str(tmp_path / "log"), "two", True))
    scp(tmp_path / "dump" / "utt2spk", {utterance: utterance[0] for utterance in TEXTS})
    (tmp_path / "score.yaml").write_text("reference_utterances: 10\n")
    options = ["--pairs", tmp_path / "pairs", "--data_dir", tmp_path / "dump", "--output_dir", run]
    options += ["--system", f"valle={run}/decode/wav.scp", "--config", tmp_path / "score.yaml"]
    score.main(list(map(str, options)))
    page, _ = make(run)
    assert "Similarity to the prompt, second encoder" in page.text
    assert "By peak, on 4 real recordings of 2 speakers" in page.text
    assert "level and peak for voices" in page.text
    assert "WER, second recogniser: " in page.text  # a paired test; its table is apart


def record_training(folder, epochs=5):
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
    train, valid = (writer(str(folder / "tensorboard" / name)) for name in ("train", "valid"))
    for epoch in range(1, epochs + 1):
        step = 10 * epoch
        train.add_scalar("loss", 99.0, step - 5)  # of a few batches: not plotted
        train.add_scalar("loss", 98.0, step)
        train.add_scalar("loss", 5.0 / epoch, step)
        train.add_scalar("iter_epoch", epoch, step)
        valid.add_scalar("loss", 6.0 / epoch, step)
        valid.add_scalar("acc", float("nan"), step)
    train.close()
    valid.close()


def test_where_the_model_looked_is_shown_below_its_example(run, monkeypatch):
    shown = AlignmentPicture("data:image/png;base64,QUJD", "Focus <0.5>.")
    monkeypatch.setattr(write_module, "read_alignments", lambda *_: {"p1": shown})
    page, text = make(run)
    assert [one["src"] for one in page.all("img")].count(shown.picture) == 1
    assert text.count('<figcaption class="small soft">Focus &lt;0.5&gt;.</figcaption>') == 1


def test_an_alignment_is_drawn_text_upwards_with_a_line_behind_the_prompt():
    weights = np.zeros((30, 8))
    weights[:, 2] = 0.5
    content = base64.b64decode(alignment_uri(weights, 5).partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(content)))[::-1]  # entries of the palette, the first row below
    assert picture.shape == (9, 30)
    bright = picture.max()
    assert {row: set(picture[row]) for row in (2, 5)} == {2: {bright}, 5: {bright}}
    assert not picture[[0, 1, 3, 4, 6, 7, 8]].any()


def test_a_whole_run(run):
    for model in ("ar", "nar", "judge"):
        record_training(run / model)
    page, text = make(run)
    for part in ("Ground truth", "Codec resynthesis", "VALL-E", "hit_length_cap", "2 min 5 s", "tones again"):
        assert part in page.text
    assert "in all 3 pairs" in page.text
    # prompt, reference and resynthesis of each pair, and two outputs
    assert len(page.all("audio")) == len(page.all("img")) == 3 * 3 + 2
    assert page.text.count("There is no recording.") == 1
    for name in ("train", "valid"):
        assert text.count(f'<g class="line {name}"><polyline points="') == 3
    assert "not found" not in page.text


def test_the_page_says_of_which_model_it_is(tmp_path, monkeypatch):
    exp = make_run(tmp_path, monkeypatch, model="ns2")
    page, _ = make(exp, "--system", f"ns2={exp}/decode/wav.scp")
    assert "demo – NaturalSpeech 2 report" in page.text
    assert "demo: how well NaturalSpeech 2 speaks" in page.text
    assert "VALL-E" not in page.text


def test_nothing_is_fetched_and_no_script_runs(run):
    page, text = make(run)
    assert not re.search(r"https?://", text)
    assert len(page.all("script")) == 1
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sources = [attrs["src"] for tag, attrs in page.tags if "src" in attrs]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    policy = [attrs for attrs in page.all("meta") if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy[0]["content"]
    assert f"script-src 'sha256-{allowed}';" in policy[0]["content"]


def test_a_training_says_on_what_it_ran_and_what_was_chosen(run):
    record_training(run / "ar")
    (run / "ar" / "config.yaml").write_text("machine:\n  cores: '2'\n  products: float32 (no <b>)\n")
    page, text = make(run)
    assert "cores: 2; products: float32 (no <b>)" in page.text
    assert "float32 (no &lt;b&gt;)" in text


def test_those_who_cannot_see_are_told(run):
    record_training(run / "ar")
    page, _ = make(run)
    assert page.all("html")[0]["lang"] == "en"
    assert all(attrs["alt"].startswith("Spectrogram: ") for attrs in page.all("img"))
    assert all(attrs["aria-label"] for attrs in page.all("audio"))
    charts = page.all("svg")
    assert any("train from 5 in epoch 1 to 1 in epoch 5" in chart["aria-label"] for chart in charts)
    assert "viewport" in {attrs.get("name") for attrs in page.all("meta")}


def test_errors_are_marked_in_what_was_heard(run):
    _, text = make(run)
    assert re.search(r"one <del [^>]*>two</del>&nbsp;<ins [^>]*>one</ins>", text)
    assert re.search(r'<del title="missing">four</del> <del title="missing">five</del>', text)


def test_hostile_text_stays_text(tmp_path, monkeypatch):
    evil = '<script>alert("x")</script> & <img src=http://x>'
    exp = make_run(tmp_path, monkeypatch, {**TEXTS, "a1": evil})
    rows = exp / "scores" / "valle.jsonl"
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    lines[1]["heard"] = "<b>bold"
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page, text = make(exp)
    assert len(page.all("script")) == 1
    assert not page.all("b") or all(attrs == {} for attrs in page.all("b"))
    assert evil in page.text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("scores/valle.jsonl", "There is nothing to listen to"),
        ("resynthesis/wav.scp", "There is no recording."),
        ("decode/outcomes", "hit_length_cap"),
        ("stage_times", "The time of the stages was not recorded."),
        ("ar", "ar/tensorboard"),
    ],
)
def test_a_missing_part_is_said_and_the_rest_is_there(run, gone, said):
    record_training(run / "ar")
    if (run / gone).is_dir():
        (run / gone).rename(run / "elsewhere")
    else:
        (run / gone).unlink()
    page, _ = make(run)
    assert said in page.text
    assert "Word accuracy" in page.text


def test_a_recording_that_cannot_be_read_is_said(run):
    (run / "decode" / "p1.wav").write_text("not a sound")
    page, _ = make(run)
    assert "The recording cannot be read" in page.text


def test_a_silent_recording_is_said(run):
    soundfile.write(run / "decode" / "p1.wav", np.zeros(RATE), RATE)
    page, _ = make(run)
    assert "1.0 s, silent" in page.text.replace("\xa0", " ")


@pytest.mark.parametrize(("count", "articles"), [(0, 0), (1, 1), (2, 2), (50, 3)])
def test_the_number_of_examples_is_heeded(run, count, articles):
    page, _ = make(run, "--num_examples", count)
    assert len(page.all("article")) == articles


def test_a_judge_that_mishears_ground_truth_is_doubted(run):
    page, _ = make(run)
    assert "The recogniser hears only" not in page.text
    scores = json.loads((run / "scores.json").read_text())
    scores["systems"]["ground_truth"]["word_accuracy"] = {"value": 0.6, "low": 0.5, "high": 0.7}
    (run / "scores.json").write_text(json.dumps(scores))
    page, _ = make(run)
    assert "The recogniser hears only 60.0 % of the words" in page.text


def test_figures_without_value_are_dashes(run):
    scores = json.loads((run / "scores.json").read_text())
    nothing = {"value": None, "low": None, "high": None}
    for system in scores["systems"].values():
        system.update(dict.fromkeys(("sim_other", "prompt_beats_other"), nothing))
    (run / "scores.json").write_text(json.dumps(scores))
    page, _ = make(run)
    assert "–" in page.text


def test_the_same_run_gives_the_same_page(run):
    assert make(run)[1] == make(run)[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("{", "is not a file of scores"),
        ("[]", "is not a file of scores"),
        ("{}", "lacks"),
    ],
)
def test_scores_are_a_must(run, content, message):
    path = run / "scores.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError, match=message):
        make(run)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--system", "theirs={folder}/gone", "--system theirs=.*gone: there is no .*gone"),
        ("--system", "valle={folder}/gone.scp", "--system valle="),
        ("--outcomes", "{folder}/gone", "--outcomes: there is no "),
    ],
)
def test_a_file_that_is_named_and_not_there_is_an_error_before_the_page(run, option, value, named):
    with pytest.raises(InputError, match=named):
        make(run, option, value.format(folder=run))
    assert not (run / "report.html").exists()


def test_pairs_of_another_corpus_are_refused(run):
    (run.parent.parent / "pairs").write_text("p1 x y z\n")
    with pytest.raises(InputError, match="pair 'p1' has prompt utterance 'x'"):
        make(run)


def test_lengths_outcomes_and_differences_are_shown(run):
    page, text = make(run)
    assert "WER by length of the text" in page.text
    assert text.count('<g class="line series-2"><polyline points="') >= 1
    assert re.search(r"<title>VALL-E: [0-9.]+ at [0-9]+</title>", text)
    assert 'class="hit_length_cap" style="width:33.3%"' in text
    assert "VALL-E − Codec resynthesis" in page.text
    headings = [attrs for attrs in page.all("th") if "aria-sort" in attrs]
    assert [attrs["aria-sort"] for attrs in headings] == ["descending"]


def test_listening_tests_are_shown(run):
    result = {
        "kind": "mos", "source": "P.800", "question": "How <good>?", "scale": [1, 5],
        "systems": {"valle": {"mean": {"value": 3.5, "low": 3.0, "high": 4.0}, "n_ratings": 12}},
        "raters": {"counted": 3, "all": 4, "screened_out": {}}, "differences": [],
    }  # fmt: skip
    (run / "listening" / "first").mkdir(parents=True)
    path = run / "listening" / "first" / "listening.json"
    path.write_text(json.dumps(result))
    page, _ = make(run)
    for part in ("How <good>?", "3 of 4 raters", "12 ratings", "3.00 to 4.00"):
        assert part in page.text
    path.write_text("{}")
    with pytest.raises(InputError, match="lacks"):
        make(run)


def test_a_continuations_prompt_is_the_beginning_of_the_recording(run, tmp_path):
    whole = make(run)[0].text
    scores = json.loads((run / "scores.json").read_text())
    (run / "scores.json").write_text(json.dumps(scores | {"prompt_seconds": 0.1}))
    page, _ = make(run, "--demo", tmp_path / "demo")
    assert page.text.count("0.1 s, the voice to imitate") == 3 > whole.count("0.1 s, the voice to imitate")
    seconds = [soundfile.info(path).duration for path in sorted((tmp_path / "demo").rglob("*_0.wav"))]
    assert seconds == [pytest.approx(0.1)] * 3


def test_a_demo_folder_stands_alone(run, tmp_path):
    (run / "decode" / "p2.wav").write_text("not a sound")
    make(run, "--demo", tmp_path / "demo")
    page = Page((tmp_path / "demo" / "index.html").read_text(encoding="utf-8"))
    sources = [attrs["src"] for attrs in page.all("audio")]
    assert len(sources) == 3 * 3 + 1  # one output is broken, one is not there
    assert page.text.count("There is no recording.") == 2
    assert all((tmp_path / "demo" / source).is_file() for source in sources)
    assert not page.all("script")
