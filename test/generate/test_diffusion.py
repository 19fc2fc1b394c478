"""A diffusion model is used like any other, and durations and pitch are in the user's hand."""

from dataclasses import fields

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet2_valle.bin import valle_inference
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.arguments import model_spec
from espnet2_valle.generate.diffusion import DiffusionText2Speech
from espnet2_valle.generate.diffusion_options import DiffusionOptions
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.ns2.control import Control
from espnet2_valle.ns2.generation import generate
from espnet2_valle.zoo.pack import pack
from espnet2_valle.zoo.trained import ModelFiles

from .conftest import RATE, buzz

FEW = DiffusionOptions(diffusion_steps=2)
VOICE = (buzz(110, 1.0), None, RATE)
TEXTS = (("a b", 3), ("c", 4), ("a b", 5))


@pytest.fixture(scope="module")
def speaker(ns2_files):
    return open_it(ns2_files)


def open_it(files, options=None, diffusion=FEW, scorer=None):
    made = DecodingOptions(watermark="none", **(options or {}))
    return Text2Speech.open(ModelFiles(**files), "cpu", made, scorer, diffusion)


def test_it_speaks_without_the_prompts_text(speaker):
    assert isinstance(speaker, DiffusionText2Speech)
    speech = speaker("a b", *VOICE)
    assert (speech.outcome, speech.fs) == (Outcome.OK, RATE)
    # Edge, a, pause, b, edge: five frames of 20 ms each.
    assert len(speech.wav) == 5 * 5 * RATE // 50


def test_a_seed_decides_and_a_batch_is_as_one_by_one(speaker):
    requests = [
        Request(text, VOICE[0], None, RATE, seed) for text, seed in (("a b", 3), ("c", 4), ("a b", 5))
    ]
    together = speaker.batch(requests)
    for request, one in zip(requests, together, strict=True):
        alone = speaker(request.text, *VOICE, seed=request.seed)
        assert len(alone.wav) == len(one.wav)
        np.testing.assert_allclose(one.wav.numpy(), alone.wav.numpy(), atol=2e-3)
    assert not torch.equal(together[0].wav, together[2].wav)


def test_what_cannot_be_said_is_told_apart(speaker):
    bad = [Request("", VOICE[0], None, RATE), Request("a", "nowhere.wav"), Request("a", VOICE[0], None, RATE)]
    outcomes = [one.outcome for one in speaker.batch(bad)]
    assert outcomes == [Outcome.TEXT_REJECTED, Outcome.PROMPT_REJECTED, Outcome.OK]


@pytest.mark.parametrize("given", ["speed=0.5", Control(speed=0.5)])
def test_half_the_speed_is_twice_as_long(speaker, given):
    plain, slow = speaker("a b c", *VOICE), speaker("a b c", *VOICE, control=given)
    assert len(slow.wav) == 2 * len(plain.wav)


def test_a_word_has_a_speed_of_its_own(speaker):
    """Of edge, a, pause, b, pause, c, edge the third word's one token becomes twice as long."""
    plain, slow = speaker("a b c", *VOICE), speaker("a b c", *VOICE, control="3:speed=0.5")
    assert len(slow.wav) - len(plain.wav) == 5 * RATE // 50
    with pytest.raises(InputError, match="names word 4, the text has 3"):
        speaker("a b c", *VOICE, control="4:speed=0.5")


def test_words_are_numbered_as_they_are_read(speaker):
    assert speaker.words(speaker.ids("ab c")).tolist() == [0, 1, 1, 0, 2, 0]


def pitch_of(speaker, control=None):
    prepared = speaker.prepare(Request("a b", VOICE[0], None, RATE, control=control))
    (made,) = generate(speaker.model, [speaker.wanted(prepared, 0)], FEW.of_solver())
    return made


def test_semitones_are_those_of_the_pitch_that_the_latent_is_made_for(speaker):
    plain = pitch_of(speaker).log_f0
    np.testing.assert_allclose(pitch_of(speaker, "pitch=4").log_f0 - plain, np.log(2) / 3)
    flat = pitch_of(speaker, "pitch_range=0").log_f0
    np.testing.assert_allclose(flat, plain.mean())
    word = pitch_of(speaker, "2:pitch=-12").log_f0 - plain
    assert sorted(set(np.round(word, 6))) == sorted({0.0, np.round(-np.log(2), 6)})


def test_what_is_heard_has_the_pitch_that_was_asked_for(speaker, monkeypatch):
    heard, decode = [], speaker.codec.decode_latent
    monkeypatch.setattr(speaker.codec, "decode_latent", lambda latent: heard.append(latent) or decode(latent))
    for control in ("", "pitch=4"):
        speaker("a b", *VOICE, control=control)
    plain, high = (latent[:, speaker.codec.features.names.index("pitch")] for latent in heard)
    np.testing.assert_allclose(plain, pitch_of(speaker).log_f0, atol=1e-5)
    np.testing.assert_allclose(high - plain, np.log(2) / 3, atol=1e-5)


def test_bfloat16_is_nearly_float32_and_int8_is_refused(ns2_files, speaker):
    half = open_it(ns2_files, {"dtype": "bfloat16"})
    prepared = speaker.prepare(Request("a b", VOICE[0], None, RATE))
    (plain,), (rough,) = (
        generate(one.model, [one.wanted(prepared, 0)], one.solver) for one in (speaker, half)
    )
    np.testing.assert_array_equal(plain.durations, rough.durations)
    assert not np.array_equal(plain.latent, rough.latent)
    assert np.abs(plain.latent - rough.latent).mean() < 0.05 * plain.latent.std()
    with pytest.raises(InputError, match="int8 is not for a diffusion model"):
        open_it(ns2_files, {"dtype": "int8"})


def test_wishes_for_all_that_is_said_add_to_those_of_a_request(ns2_files):
    high = open_it(ns2_files, diffusion=DiffusionOptions(diffusion_steps=2, speed=0.5, pitch=2.0))
    plain = open_it(ns2_files)
    made, before = pitch_of(high, "speed=2 pitch=1"), pitch_of(plain)
    assert len(made.latent) == len(before.latent)
    np.testing.assert_allclose(made.log_f0 - before.log_f0, 3 * np.log(2) / 12)


def test_durations_and_pitch_of_a_recording_are_taken(speaker, tmp_path):
    soundfile.write(tmp_path / "said.wav", buzz(150, 1.3), RATE)
    told = speaker.control_from(tmp_path / "said.wav", "a b")
    assert told.durations.sum() == 65
    made = pitch_of(speaker, f"reference={tmp_path}/said.wav")
    np.testing.assert_array_equal(made.durations, told.durations)
    assert abs(np.exp(np.median(made.log_f0)) - 150) < 8
    with pytest.raises(InputError, match="control durations: are of 5 tokens, the text has 7"):
        speaker("a b c", *VOICE, control=told)


def test_lists_of_pairs_have_wishes(ns2_files, system, tmp_path):
    open_text2speech.cache_clear()
    words = [word for name, value in ns2_files.items() for word in (f"--{name}", value)]
    words += ["--pairs", f"{system}/pairs", "--data_dir", f"{system}/data", "--diffusion_steps", "2"]
    (tmp_path / "controls").write_text("p1 speed=0.5\n")
    valle_inference.main([*words, "--output_dir", f"{tmp_path}/plain"])
    valle_inference.main([*words, "--output_dir", f"{tmp_path}/slow", "--controls", f"{tmp_path}/controls"])
    plain, slow = (
        [soundfile.info(tmp_path / run / "wav" / f"{pair}.wav").frames for pair in ("p1", "p2")]
        for run in ("plain", "slow")
    )
    assert slow == [2 * plain[0], plain[1]]
    assert (tmp_path / "plain" / "outcomes").read_text().split()[1::2] == ["ok"] * 3
    for line, message in (("p9 speed=1", "names 'p9'"), ("p1 loud=1", "is no wish")):
        (tmp_path / "bad").write_text(f"{line}\n")
        with pytest.raises(InputError, match=message):
            valle_inference.main([*words, "--output_dir", f"{tmp_path}/n", "--controls", f"{tmp_path}/bad"])
    open_text2speech.cache_clear()


def test_a_recogniser_chooses_among_candidates(ns2_files):
    asked = []

    def louder(wav, rate, text):
        asked.append(text)
        return float(len(asked) == 2)

    with pytest.raises(InputError, match="does not tell which of its candidates is likeliest"):
        open_it(ns2_files, {"best_of": 3})
    speech = open_it(ns2_files, {"best_of": 3}, scorer=louder)("a", *VOICE)
    assert (asked, speech.score) == (["a"] * 3, 1.0)


def test_it_is_packed_and_opened_as_any_other(ns2_files, tmp_path):
    pack(
        files={"ns2_model_file": ns2_files["ns2_model_file"]},
        yaml_files={name: ns2_files[name] for name in ("ns2_train_config", "codec_config")},
        extra=[],
        output=tmp_path / "model.zip",
    )
    packed = Text2Speech.from_pretrained(tmp_path / "model.zip", watermark="none", diffusion_steps=2)
    assert isinstance(packed, DiffusionText2Speech)
    again = open_it(ns2_files)("a b", *VOICE).wav
    torch.testing.assert_close(packed("a b", *VOICE).wav, again)


def test_what_a_model_has_not_is_told(speaker, files):
    with pytest.raises(InputError, match="does not stream"):
        Streamer.of(speaker)
    with pytest.raises(InputError, match="--pitch: is for NaturalSpeech 2 models"):
        Text2Speech.open(ModelFiles(**files), "cpu", DecodingOptions(), diffusion=DiffusionOptions(pitch=1.0))
    with pytest.raises(InputError, match="control: is for NaturalSpeech 2 models"):
        Text2Speech.from_files(**files)("a", VOICE[0], "b", RATE, control="speed=2")


@pytest.mark.parametrize(
    ("name", "value"),
    [("diffusion_steps", 0), ("solver", "heun"), ("noise_temperature", 0), ("guidance", -1), ("solver", 1)],
)
def test_options_that_are_none_are_named(name, value):
    with pytest.raises(InputError, match=f"--{name}: {value} is out of range"):
        DiffusionOptions(**{name: value})


def test_options_out_of_a_voices_range():
    with pytest.raises(InputError, match="speed: 9 is out of range"):
        DiffusionOptions(speed=9)


def test_the_shipped_configuration_names_every_option():
    given = yaml.safe_load(find("decode_ns2.yaml").read_text())
    names = {one.name for one in fields(DiffusionOptions)}
    assert names <= given.keys()
    parsed = valle_inference.get_parser().parse_args([f"--config={find('decode_ns2.yaml')}"])
    assert model_spec(parsed).diffusion == DiffusionOptions(**{name: given[name] for name in names})


def test_a_folder_is_known_by_options_that_were_changed():
    spec = ModelSpec(ModelFiles(model_tag="m.zip"), diffusion=DiffusionOptions(pitch=2.0))
    assert spec.to_dict()["pitch"] == 2.0
    assert "speed" not in spec.to_dict()
    assert ModelSpec.from_dict(spec.to_dict()) == spec
