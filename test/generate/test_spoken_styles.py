"""Styles of what is said: named, blended, marked in the text, guided, and told to the models."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet2_valle.bin import valle_inference, valle_longform, valle_stream
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.generate import longform
from espnet2_valle.generate import text2speech as module
from espnet2_valle.generate.ar_decoding import decode_ar
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.pair_styles import read_styles
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.scheduler import Scheduler, run
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.styles import StyleOptions, blend_of
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz

SHORT = {"max_duration_ratio": 1.5, "min_duration_ratio": 0.5}
ANGRY, HAPPY, NEUTRAL, SAD = range(4)


@pytest.fixture
def text2speech(styled):
    return Text2Speech.from_files(**styled, **SHORT)


@pytest.fixture
def voice(text2speech):
    return PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)


def test_an_emotion_is_one_or_a_blend():
    assert blend_of("happy") == {"happy": 1.0}
    assert blend_of("happy:0.6+sad:0.4") == {"happy": 0.6, "sad": 0.4}
    assert blend_of("happy+sad") == {"happy": 0.5, "sad": 0.5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"emotion": "happy:0.6+sad"}, "do not add up to 1"),
        ({"emotion": "happy:0.3"}, "do not add up to 1"),
        ({"emotion": "happy:x+sad"}, "'happy:x' is no emotion with its share"),
        ({"emotion": "happy+"}, "'' is no emotion"),
        ({"emotion": "sad+sad"}, "'sad' comes twice"),
        ({"emotion_strength": -1.0}, "--emotion_strength: -1.0 is out of range"),
        ({"emotion_strength": 1e300}, "--emotion_strength: 1e+300 is out of range"),
        ({"emotion_strength": float("nan")}, "--emotion_strength: nan is out of range"),
        ({"speaking_rate": "fast"}, "--speaking_rate: 'fast' is out of range. Give auto"),
        ({"energy": 0}, "--energy: '0' is out of range"),
    ],
)
def test_options_that_are_none_are_refused(options, message):
    with pytest.raises(InputError, match=message.replace("+", r"\+")):
        DecodingOptions(**options)


def test_a_text_is_said_at_the_rate_of_its_emotion(text2speech, voice):
    text2speech.ar.relative_rates = {"emotion": [1.5, 1.0, 1.0, 0.5]}

    def prepared(prompt=voice, **style):
        return text2speech.prepare(Request("a b c d a b c d", prompt, style=style))

    plain, slow = prepared(), prepared(emotion="sad")
    assert (plain.relative_rate, slow.relative_rate) == (1.0, pytest.approx(0.5))
    assert slow.limits.max_frames == pytest.approx(2 * plain.limits.max_frames, abs=1)
    assert slow.utterance(0).relative_rate == slow.relative_rate
    # What is said behind a sentence in the same style is as fast as that.
    assert prepared(replace(voice, styled=True), emotion="sad").relative_rate == 1.0


def test_options_of_a_request_take_the_place_of_the_models():
    options = DecodingOptions(emotion="sad", energy=4)
    assert options.energy == "4"
    assert options.with_style({}) == StyleOptions(emotion="sad", energy="4")
    assert options.with_style({"emotion": "happy", "energy": 2.5}).style_given == {
        "emotion": "happy",
        "energy": "2.5",
    }
    with pytest.raises(InputError, match="style: there is no option 'mood'"):
        options.with_style({"mood": "sad"})


def prepared(text2speech, voice, text="a b", **style):
    return text2speech.prepare(Request(text, voice, style=style))


def test_models_are_told_emotions_blends_and_levels(text2speech, voice):
    assert text2speech.emotions == ("angry", "happy", "neutral", "sad")
    assert prepared(text2speech, voice).style is None
    told = prepared(text2speech, voice, emotion="happy:0.6+sad:0.4", speaking_rate=5, energy="2.25").style
    assert told.baseline is None
    assert told.weights[:3].abs().sum() == 0  # the prompt's tokens
    expected = torch.zeros(24)
    expected[[HAPPY, SAD, 4 + 4, 4 + 15 + 1, 4 + 15 + 2]] = torch.tensor([0.6, 0.4, 1.0, 0.75, 0.25])
    torch.testing.assert_close(told.weights[3:], expected.expand(len(told.weights) - 3, -1))
    guided = prepared(text2speech, voice, emotion="sad", emotion_strength=2.0, energy=1).style
    assert guided.strength == 2.0
    assert guided.baseline.weights[:, :4].abs().sum() == 0
    assert torch.equal(guided.baseline.weights[:, 4:], guided.weights[:, 4:])
    assert prepared(text2speech, voice, energy=1, emotion_strength=2.0).style.baseline is None


def test_words_may_have_an_emotion_of_their_own(text2speech, voice):
    asked = prepared(text2speech, voice, "a <emotion=sad>b c</emotion> a", emotion="happy")
    plain = prepared(text2speech, voice, "a b c a", emotion="happy")
    assert torch.equal(asked.text, plain.text)
    assert asked.unknown == {}
    weights = asked.style.weights[asked.prompt_tokens :, :4]
    spoken = [row.argmax().item() for row in weights if row.any()]
    assert [first for first, _ in pairwise([*spoken, None])] == spoken
    assert set(spoken) == {HAPPY, SAD}
    assert spoken[0] == spoken[-1] == HAPPY
    assert SAD in spoken[1:-1]
    alone = prepared(text2speech, voice, "a <emotion=sad>b</emotion>").style
    assert alone.weights[:, SAD].any()
    assert not alone.weights[:, HAPPY].any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a <emotion=sad>b", "text: character 3: <emotion=sad> is not closed by </emotion>"),
        ("a b</emotion> c", "text: character 4: </emotion> closes nothing"),
        ("<emotion=shy>a</emotion>", "'shy' is none of the emotions .* Choose one of angry, happy"),
        ("<emotion=sad/>a</emotion>", "is no mark of a language or an emotion"),
        ("<emotion=sad><lang=de>a</emotion></lang>", "'de' is named, and all is read in one language"),
    ],
)
def test_bad_marks_are_refused_with_their_place(text2speech, voice, text, message):
    with pytest.raises(InputError, match=message.replace("</", "<.?")):
        text2speech(text, voice)
    (rejected,) = text2speech.batch([Request(text, voice)])
    assert rejected.outcome is Outcome.TEXT_REJECTED


@pytest.mark.parametrize(
    ("style", "message"),
    [
        (
            {"emotion": "shy"},
            "--emotion: the model does not know 'shy'. Choose among angry, happy, neutral, sad",
        ),
        ({"emotion_reference": "a.wav"}, "--emotion_reference: needs a recogniser"),
        ({"pitch_level": 6}, "--pitch_level: 6 is out of range. Give 1 to 5"),
    ],
)
def test_what_the_model_does_not_know_is_refused(text2speech, voice, style, message):
    with pytest.raises(InputError, match=message):
        text2speech("a b", voice, **style)


def test_a_model_that_is_told_no_style_says_so(files):
    text2speech = Text2Speech.from_files(**files, **SHORT)
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)
    assert text2speech.emotions == ()
    assert text2speech.prepare(Request("a b", voice)).style is None
    for asked, message in (
        ({"emotion": "sad"}, "--emotion: this model is told no emotions"),
        ({"energy": 3}, "--energy: this model is not told it"),
    ):
        with pytest.raises(InputError, match=message):
            text2speech("a b", voice, **asked)
    with pytest.raises(InputError, match="'sad' is named, and no emotions are told here"):
        text2speech("a <emotion=sad>b</emotion>", voice)


STYLES = (
    {},
    {"emotion": "happy"},
    {"emotion": "sad", "emotion_strength": 3.0},
    {"energy": 5, "emotion": "angry"},
)


def test_a_batch_is_as_its_rows_and_candidates_share_what_is_read(text2speech, voice):
    rows = [prepared(text2speech, voice, "a b c", **style) for style in STYLES]
    utterances = [one.utterance(7) for one in rows]
    together = decode_ar(text2speech.ar, utterances, text2speech.options)
    for row, found in zip(rows, together, strict=True):
        alone = decode_ar(text2speech.ar, [row.utterance(7), row.utterance(8)], text2speech.options)
        assert torch.equal(alone[0].codes, found.codes)
        assert alone[0].log_probability == pytest.approx(found.log_probability, abs=1e-4)
    assert not torch.equal(together[0].codes, together[1].codes)


def test_guidance_is_that_of_the_uncached_model(text2speech, voice):
    """Greedy codes under guidance are the likeliest of the combined logits of whole passes."""
    text2speech = Text2Speech(
        (models := module.Models(text2speech.ar, text2speech.nar)),
        text2speech.codec,
        text2speech.tokenizer,
        DecodingOptions(temperature=0.0, native="never", **SHORT),
    )
    asked = prepared(text2speech, voice, "a b c", emotion="sad", emotion_strength=2.5)
    codes = decode_ar(models.ar, [asked.utterance(0)], text2speech.options)[0].codes
    everything = torch.cat([asked.first, codes])
    lengths = torch.tensor([len(asked.text)]), torch.tensor([len(everything)])
    tokens, groups = torch.tensor([asked.prompt_tokens]), torch.tensor([len(asked.first)])
    rates = models.ar.position_rates(tokens, groups)
    told, baseline = (
        models.ar.logits(
            asked.text[None],
            lengths[0],
            everything[None, :, None],
            lengths[1],
            rates,
            styles=style.weights[None],
        )[0, len(asked.first) : len(everything), 0, : models.ar.end]
        for style in (asked.style, asked.style.baseline)
    )
    guided = baseline + 2.5 * (told - baseline)
    assert guided.argmax(-1).tolist() == codes.tolist()


def test_strength_one_is_no_guidance_and_others_are_heard(text2speech, voice):
    def said(**style):
        return text2speech("a b c", voice, seed=3, **style).codes

    plain = said(emotion="sad")
    assert torch.equal(said(emotion="sad", emotion_strength=1.0), plain)
    assert not torch.equal(said(emotion="sad", emotion_strength=4.0), plain)
    assert torch.equal(said(emotion="sad", emotion_strength=0.0), said())


def test_streams_and_the_service_s_scheduler_say_the_same(text2speech, voice):
    streamer = Streamer.of(text2speech)
    for style in STYLES:
        asked = prepared(text2speech, voice, "a b c", **style)
        state = streamer.start(asked)
        wav = np.concatenate(list(streamer.run(state)))
        whole, codes, _ = streamer.whole(asked)
        assert torch.equal(torch.cat(state.codes), codes)
        np.testing.assert_allclose(wav, whole, atol=1e-5)
    scheduler = Scheduler(text2speech, max_rows=2)
    for ticket, style in enumerate(STYLES):
        scheduler.submit(ticket, prepared(text2speech, voice, "a b c", **style), streamed=False)
    pieces = run(scheduler)
    for ticket, style in enumerate(STYLES):
        alone = text2speech("a b c", voice, **style)
        np.testing.assert_allclose(pieces[ticket][-1].wav, alone.wav.numpy(), atol=1e-5)


def test_options_that_are_not_given_leave_old_folders_of_use(styled):
    spec = ModelSpec(options=DecodingOptions())
    assert "emotion" not in spec.to_dict()
    told = ModelSpec(options=DecodingOptions(emotion="sad", energy="2"))
    assert told.to_dict()["emotion"] == "sad"
    assert ModelSpec.from_dict(told.to_dict()) == told


def test_lists_of_pairs_take_emotions_from_the_data_or_a_file(system, styled, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("wav.scp", "text", "utt2spk", "spk2utt"):
        (data / name).write_text((system / "data" / name).read_text())
    (data / "utt2emo").write_text("high_0 sad\nhigh_1 happy\nlow_0 happy\nlow_1 unknown\n")
    (tmp_path / "styles").write_text("p2 emotion=happy emotion_strength=2\np3 speaking_rate=1\n")
    options = [f"--{name}={value}" for name, value in {**styled, **SHORT}.items()]
    command = [*options, f"--pairs={system}/pairs", f"--data_dir={data}", f"--output_dir={tmp_path}/out"]
    valle_inference.main(command)
    before = {path.stem: np.load(path) for path in (tmp_path / "out" / "codes").iterdir()}
    assert set(Path(tmp_path, "out", "outcomes").read_text().split()[1::2]) <= {"ok", "hit_length_cap"}
    written = (tmp_path / "out" / "journal.jsonl").read_text()
    valle_inference.main([*command, f"--styles={tmp_path}/styles"])
    after = {path.stem: np.load(path) for path in (tmp_path / "out" / "codes").iterdir()}
    assert np.array_equal(before["p1"], after["p1"])
    changed = (tmp_path / "out" / "journal.jsonl").read_text().splitlines()
    assert {line.split('"')[1] for line in changed if line not in written.splitlines()} == {"p2", "p3"}
    for line, message in (
        ("p9 emotion=sad", "names 'p9', which is no pair"),
        ("p1 sad", "'p1' has 'sad', which is no wish"),
        ("p1 mood=sad", "'p1': there is no option 'mood'"),
        ("p1 energy=low", "'p1': 'low' is out of range"),
    ):
        (tmp_path / "styles").write_text(f"{line}\n")
        with pytest.raises(InputError, match=message):
            valle_inference.main([*command, f"--styles={tmp_path}/styles"])


def test_what_pairs_are_told_and_known_by(system):
    pairs = read_pairs(system / "pairs")
    keys = ("high_0", "high_1", "low_0", "low_1")
    one = read_styles(pairs, dict.fromkeys(keys, "sad"))
    assert all(each.parts() == [] for each in one.values())
    request, none, asked = Request("a", "x.wav"), StyleOptions(), StyleOptions(emotion="happy")
    assert one["p1"].added_to(request, ["sad"], none).style == {"emotion": "sad"}
    assert one["p1"].added_to(request, [], none) == request
    assert one["p1"].added_to(request, ["sad"], asked) == request
    several = read_styles(pairs, dict(zip(keys, ("sad", "sad", "unknown", "happy"))))
    assert several["p1"].parts() == ["style", "[]", "happy"]
    assert several["p3"].parts() == []
    assert several["p3"].added_to(request, ["sad"], none) == request


def test_the_emotion_of_a_reference_is_its_shares(text2speech, voice, monkeypatch, tmp_path):
    heard = {"happy": 0.7, "sad": 0.3}
    asked = {}

    def listen(recognizer, recording):
        asked.update(recognizer=recognizer, recording=recording)
        return heard

    monkeypatch.setattr(module, "heard_emotions", listen)
    write_audio(tmp_path / "a.wav", buzz(150, 1.0), RATE)
    style = {"emotion_reference": str(tmp_path / "a.wav"), "emotion_recognizer": "exp/emotion"}
    told = prepared(text2speech, voice, **style).style
    torch.testing.assert_close(told.weights[-1, :4], torch.tensor([0.0, 0.7, 0.0, 0.3]))
    assert asked == {"recognizer": "exp/emotion", "recording": str(tmp_path / "a.wav")}
    heard.update(shy=0.1)
    with pytest.raises(InputError, match="does not know 'shy'"):
        prepared(text2speech, voice, **style)


def test_commands_say_with_emotions(styled, tmp_path, monkeypatch):
    pytest.importorskip("sentencex", reason="the extra longform is not installed")
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", Text2Speech.from_files(**styled).codec)
    voice.save(tmp_path / "me.npz")
    (tmp_path / "text").write_text("A b c. <emotion=sad>B c. C a</emotion> b.")
    options = [f"--{name}={value}" for name, value in {**styled, **SHORT}.items()]
    spoken = [*options, f"--prompt={tmp_path}/me.npz", "--emotion=happy", "--emotion_strength=2"]
    valle_inference.main([*spoken, "--text=a b", f"--output_wav={tmp_path}/a.wav"])
    valle_longform.main([*spoken, f"--text_file={tmp_path}/text", f"--output_wav={tmp_path}/b.wav"])
    rolling = yaml.safe_load(find("longform.yaml").read_text()) | {"prompt": "rolling"}
    (tmp_path / "rolling.yaml").write_text(yaml.safe_dump(rolling))
    monkeypatch.setattr(longform, "ROLLING_SECONDS", 0.0)
    command = [*spoken, f"--text_file={tmp_path}/text", f"--longform_config={tmp_path}/rolling.yaml"]
    valle_longform.main([*command, f"--output_wav={tmp_path}/e.wav"])
    valle_stream.main([*spoken, "--text=a <emotion=sad>b</emotion>", f"--output_wav={tmp_path}/c.wav"])
    for name in "abce":
        assert (tmp_path / f"{name}.wav").stat().st_size > 44
    with pytest.raises(InputError, match="does not know 'shy'"):
        valle_longform.main(
            [*options, f"--prompt={tmp_path}/me.npz", "--emotion=shy", f"--text_file={tmp_path}/text"]
            + [f"--output_wav={tmp_path}/d.wav"]
        )
    assert not (tmp_path / "d.wav").exists()
