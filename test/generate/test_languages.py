"""Languages of texts, prompts and accents: named, detected, and told to the models."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from espnet2_valle.bin import valle_inference, valle_longform, valle_prepare_prompt, valle_stream
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.generate import languages
from espnet2_valle.generate.languages import PROMPT, TEXT, detect, known_languages, language_of
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.pair_languages import read_languages
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.text.tokenizer import build_tokenizer

from .conftest import IDS, RATE, buzz, model_files

G2P = "en=espeak_ng_english_us_vits de=espeak:de"
SHORT = {"max_duration_ratio": 1.5, "min_duration_ratio": 0.5}
GERMAN, ENGLISH = "Guten Tag, wie geht es dir heute?", "Where is the house of my brother?"


@pytest.fixture(scope="module")
def several(system, tmp_path_factory):
    """Files of a model with language IDs and a g2p for each language."""
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    tokenizer = build_tokenizer("phn", G2P)
    texts = ("a nine house", "<lang=de>a schöne neun tag</lang>")
    tokens = sorted({token for text in texts for token in tokenizer.text2tokens(text)})
    options = (f"--g2p={G2P}", *IDS[1:])
    folder = tmp_path_factory.mktemp("several")
    return model_files(folder, system / "codec" / "codec.yaml", options, tokens=tokens)


def test_of_what_it_reads_and_what_it_is_told_a_model_knows_what_is_both():
    assert known_languages(["en", "de", "zh"], []) == ("en", "de", "zh")
    assert known_languages([], ["de", "en"]) == ("de", "en")
    assert known_languages(["en", "zh"], ["de", "en"]) == ("en",)
    assert known_languages([], []) == ()


def test_a_language_is_named_or_that_of_the_model_or_detected(caplog):
    pytest.importorskip("py3langid", reason="the extra languages is not installed")
    caplog.set_level(logging.INFO)
    assert language_of("German", ENGLISH, ("en", "de"), TEXT) == "de"
    assert language_of(None, GERMAN, ("en",), TEXT) == "en"
    assert language_of(None, GERMAN, (), TEXT) is None
    assert not caplog.messages
    assert language_of("", GERMAN, ("en", "de", "xx"), PROMPT) == "de"
    assert "--prompt_lang is not given: de (" in caplog.text
    assert language_of(None, f"<lang=de>{GERMAN} {GERMAN}</lang> {ENGLISH}", ("en", "de"), TEXT) == "en"
    assert language_of(None, f"<lang=de>{GERMAN}</lang>", ("en", "de"), TEXT) == "de"
    for named, known, message in (
        ("fr", ("en", "de"), "--lang: the model does not know 'fr'. Choose one of en, de"),
        ("fr", (), "--lang: 'fr': this model was not told languages. Leave it out"),
    ):
        with pytest.raises(InputError, match=message):
            language_of(named, GERMAN, known, TEXT)
    with pytest.raises(InputError, match="py3langid knows none of xx, xy. Give it: one of xx, xy"):
        language_of(None, GERMAN, ("xx", "xy"), TEXT)


def test_without_the_package_a_language_has_to_be_named(monkeypatch):
    def missing(module, purpose, extra):
        raise InputError(
            purpose, f"needs the package {module}", f"Run `pip install 'espnet2_valle[{extra}]'`"
        )

    monkeypatch.setattr(languages, "import_extra", missing)

    with pytest.raises(WorkError, match=r"Give it: one of el, ru; or Run `pip install .*\[languages\]"):
        detect("text", ("el", "ru"), TEXT)


@pytest.mark.parametrize("place", ["text", "prompt", "accent"])
def test_models_are_told_the_languages(told, place):
    text2speech = Text2Speech.from_files(**told, **SHORT)
    assert text2speech.languages == ("de", "en")
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)

    def prepared(lang="en", prompt_lang="en", accent=None):
        return text2speech.prepare(Request("a b", voice, lang=lang, prompt_lang=prompt_lang, accent=accent))

    before = prepared().languages
    assert (before.text.tolist(), before.prompt, before.target) == ([1] * 7, 1, 1)
    changed = {
        "text": prepared(lang="de"),
        "prompt": prepared(prompt_lang="de"),
        "accent": prepared(accent="German"),
    }[place].languages
    expected = {
        "text": ([1, 1, 1, 0, 0, 0, 0], 1, 0),
        "prompt": ([0, 0, 0, 1, 1, 1, 1], 0, 1),
        "accent": ([1, 1, 1, 0, 0, 0, 0], 1, 0),
    }[place]
    assert (changed.text.tolist(), changed.prompt, changed.target) == expected
    options = Text2Speech.from_files(**told, **SHORT, lang="de", prompt_lang="en", accent="en")
    of_options = options.prepare(Request("a b", voice)).languages
    assert (of_options.text.tolist(), of_options.prompt, of_options.target) == ([1] * 7, 1, 1)
    known = replace(voice, lang="de")
    assert text2speech.prepare(Request("a b", known, lang="en")).languages.prompt == 0


def test_a_text_is_said_at_the_rate_of_the_language_that_it_is_read_in(told):
    text2speech = Text2Speech.from_files(**told, **SHORT)
    text2speech.ar.relative_rates = {"language": [2.0, 1.0]}
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)

    def rate(**wishes):
        return text2speech.prepare(Request("a b", voice, prompt_lang="en", **wishes)).relative_rate

    assert rate(lang="en") == 1.0
    assert rate(lang="de") == pytest.approx(2.0)
    assert rate(lang="en", accent="de") == 1.0  # it has the tokens of English


def test_each_way_of_speaking_heeds_the_language(told):
    text2speech = Text2Speech.from_files(**told, **SHORT, native="never")
    for model in (text2speech.ar, text2speech.nar):
        for table in model.language_ids.tables.values():
            torch.nn.init.normal_(table.weight)
    voice = PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)
    said = {lang: text2speech("a b", voice, lang=lang, prompt_lang="en") for lang in ("de", "en")}
    assert not np.array_equal(said["de"].codes, said["en"].codes)
    requests = [Request("a b", voice, lang=lang, prompt_lang="en") for lang in ("de", "en")]
    together = text2speech.batch(requests)
    for lang, one in zip(said, together):
        assert torch.equal(one.codes, said[lang].codes)
    streamed = text2speech.batch(requests, Streamer.of(text2speech).synthesise)
    assert not torch.equal(streamed[0].codes, streamed[1].codes)
    assert text2speech.align(requests[0], said["de"].codes.numpy()) is not None
    whole, chunked = (Streamer.of(text2speech) for _ in range(2))
    prepared = text2speech.prepare(requests[0])
    assert torch.equal(whole.whole(prepared)[1], chunked.synthesise([prepared])[0].codes)


@pytest.mark.parametrize(
    ("asked", "outcome", "message"),
    [
        ({"lang": "fr"}, Outcome.TEXT_REJECTED, "--lang: the model does not know 'fr'. Choose one of de, en"),
        ({"lang": "en", "prompt_lang": "fr"}, Outcome.PROMPT_REJECTED, "--prompt_lang: the model does not"),
        ({"lang": "en", "prompt_lang": "en", "accent": "fr"}, Outcome.PROMPT_REJECTED, "--accent: the model"),
    ],
)
def test_a_language_that_the_model_does_not_know_is_refused(told, asked, outcome, message):
    text2speech = Text2Speech.from_files(**told, **SHORT)
    request = Request("a b", buzz(110, 1.0), "b c", RATE, **asked)
    (rejected,) = text2speech.batch([request])
    assert rejected.outcome is outcome
    assert message in rejected.problem


def test_a_model_without_languages_is_told_none(files):
    text2speech = Text2Speech.from_files(**files, **SHORT)
    assert text2speech.languages == ()
    assert text2speech.prepare(Request("a b", buzz(110, 1.0), "b c", RATE)).languages is None
    for asked, message in (
        ({"lang": "en"}, "--lang: 'en': this model was not told languages"),
        ({"accent": "en"}, "--accent: is for models with language IDs"),
    ):
        with pytest.raises(InputError, match=message):
            text2speech("a b", buzz(110, 1.0), "b c", RATE, **asked)


def test_each_text_is_read_by_the_g2p_of_its_language(several):
    text2speech = Text2Speech.from_files(**several, **SHORT)
    tokenizer = text2speech.tokenizer
    voice = PreparedPrompt.encode(buzz(110, 1.0), "schöne neun", text2speech.codec)
    asked = Request("nine <lang=de>neun</lang> house", voice, lang="en", prompt_lang="de")
    prepared = text2speech.prepare(asked)
    read = tokenizer.ids.decode(prepared.text.tolist())
    expected = tokenizer.text2tokens("<lang=de>schöne neun</lang> nine <lang=de>neun</lang> house")
    assert read == expected
    assert "ø" in read
    assert len(prepared.languages.text) == len(read)
    assert prepared.languages.text.tolist() == [
        ["de", "en"].index(name)
        for name in tokenizer.languages_of(
            "<lang=de>schöne neun</lang> nine <lang=de>neun</lang> house", "en"
        )
    ]
    with pytest.raises(InputError, match="text: character 6: <lang=de> is not closed"):
        text2speech("nine <lang=de>neun", voice, lang="en")


def test_lists_of_pairs_take_languages_from_the_data_or_a_file(system, told, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("wav.scp", "text", "utt2spk", "spk2utt"):
        (data / name).write_text((system / "data" / name).read_text())
    (data / "utt2lang").write_text("high_0 de\nhigh_1 en\nlow_0 en\nlow_1 de\n")
    (tmp_path / "languages").write_text("p2 en\np3 - de en\n")
    options = [f"--{name}={value}" for name, value in {**told, **SHORT}.items()]
    command = [*options, f"--pairs={system}/pairs", f"--data_dir={data}", f"--output_dir={tmp_path}/out"]
    valle_inference.main(command)
    before = {path.stem: np.load(path) for path in (tmp_path / "out" / "codes").iterdir()}
    assert set(Path(tmp_path, "out", "outcomes").read_text().split()[1::2]) <= {"ok", "hit_length_cap"}
    written = (tmp_path / "out" / "journal.jsonl").read_text()
    valle_inference.main(command)
    assert (tmp_path / "out" / "journal.jsonl").read_text() == written
    valle_inference.main([*command, f"--languages={tmp_path}/languages"])
    after = {path.stem: np.load(path) for path in (tmp_path / "out" / "codes").iterdir()}
    assert np.array_equal(before["p1"], after["p1"])
    changed = (tmp_path / "out" / "journal.jsonl").read_text().splitlines()
    assert {line.split('"')[1] for line in changed if line not in written.splitlines()} == {"p2", "p3"}
    for lines, message in (("p9 en\n", "names 'p9', which is no pair"), ("p1 a b c d\n", "has 4 languages")):
        (tmp_path / "languages").write_text(lines)
        with pytest.raises(InputError, match=message):
            valle_inference.main([*command, f"--languages={tmp_path}/languages"])


def test_pairs_of_one_language_are_known_as_before(system):
    pairs = read_pairs(system / "pairs")
    one = read_languages(pairs, dict.fromkeys(("high_0", "high_1", "low_0", "low_1"), "zh"), None)
    assert {each.lang for each in one.values()} == {"zh"}
    assert all(each.parts() == [] for each in one.values())
    request = Request("a", "x.wav")
    assert one["p1"].added_to(request, ["zh"]) == request
    assert one["p1"].added_to(request, ["en", "zh"]).lang == "zh"
    assert read_languages(pairs, {}, None)["p1"].added_to(request, ["en", "zh"]) == request


def test_a_prepared_prompt_keeps_its_language(system, tmp_path):
    recording = f"{system}/data/wav/low_0.wav"
    command = [f"--prompt_speech={recording}", "--prompt_text=a b", "--voices=no", "--prompt_lang=German"]
    command += [f"--codec_config={system}/codec/codec.yaml", f"--output={tmp_path}/me.npz"]
    valle_prepare_prompt.main(command)
    assert PreparedPrompt.read(tmp_path / "me.npz").lang == "de"


def test_a_long_text_has_one_language_and_marks_are_kept_whole(several, tmp_path, caplog):
    pytest.importorskip("sentencex", reason="the extra longform is not installed")
    pytest.importorskip("py3langid", reason="the extra languages is not installed")
    caplog.set_level(logging.INFO)
    voice = PreparedPrompt.encode(buzz(110, 1.0), "neun", Text2Speech.from_files(**several).codec)
    replace(voice, lang="de").save(tmp_path / "me.npz")
    (tmp_path / "text").write_text(
        "A nine house. A <lang=de>neun. Neun tag</lang> nine.\n\nThe house is nine."
    )
    options = [f"--{name}={value}" for name, value in {**several, **SHORT}.items()]
    spoken = [*options, f"--prompt={tmp_path}/me.npz", f"--text_file={tmp_path}/text"]
    valle_longform.main([*spoken, f"--output_wav={tmp_path}/a.wav"])
    assert caplog.text.count("--lang is not given: en") == 1
    valle_longform.main([*spoken, f"--output_wav={tmp_path}/b.wav", "--lang=en"])
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    valle_stream.main([*spoken, f"--output_wav={tmp_path}/c.wav", "--lang=en", "--max_words=3"])
    assert (tmp_path / "c.wav").stat().st_size > 44
    with pytest.raises(InputError, match="--lang: the model does not know 'fr'. Choose one of en, de"):
        valle_longform.main([*spoken, f"--output_wav={tmp_path}/d.wav", "--lang=fr"])
