"""The model card of a run."""

import json
from pathlib import Path

import pytest
import yaml
from training_samples import write_archive

from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.report.card import CardFiles, make_card
from espnet2_valle.zoo.card import UNSTATED, Statements

SPEC = {"name": "world", "sample_rate": 24000, "frame_rate": 50.0, "num_codebooks": 4, "codebook_size": 16}
METRIC = {"value": 0.923, "low": 0.905, "high": 0.942}
SCORES = {
    "systems": {
        name: {"word_accuracy": METRIC, "outcomes": {"ok": 7}, "by_speaker": {"word_accuracy": METRIC}}
        for name in ("ground_truth", "codec", "valle", "vits")
    },
    "judge": "Whisper base.en",
    "speaker_encoder": "Resemblyzer",
    "pairs": 7,
    "commit": "c0ffee",
    "protocol": "cross",
}


@pytest.fixture
def files(tmp_path):
    """A run: two configs, a codec and a training index of eight utterances."""
    write_archive(tmp_path)
    for kind in ("ar", "nar"):
        config = {
            "valle": kind,
            "valle_conf": {"layers": 1, "width": 16, "heads": 2, "feed_forward": 32},
            "model_conf": {},
            "token_list": ["<blank>", "<unk>", "a", "<sos/eos>"],
            "codec_config": SPEC,
            "token_type": "phn",
            "g2p": "espeak_ng_english_us_vits",
        }
        (tmp_path / f"{kind}.yaml").write_text(yaml.safe_dump(config))
    return {
        "name": "mini",
        "ar_train_config": str(tmp_path / "ar.yaml"),
        "nar_train_config": str(tmp_path / "nar.yaml"),
        "codec_config": str(tmp_path / "codec.yaml"),
    }


@pytest.fixture
def scores(tmp_path):
    (tmp_path / "scores.json").write_text(json.dumps(SCORES))
    return str(tmp_path / "scores.json")


def card(files, **more):
    """Metadata and sections of a card, by title."""
    text = make_card(CardFiles(**{**files, **more}))
    _, metadata, body = text.split("---\n", 2)
    parts = body.split("\n## ")
    return yaml.safe_load(metadata), {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts[1:]}


def statements(path, **said):
    path.write_text(yaml.safe_dump(said))
    return str(path)


def test_a_card_has_all_that_the_hub_and_a_reader_ask_for(files, scores, tmp_path):
    metadata, sections = card(files, corpus="mini", train_index=str(tmp_path / "index"), scores=scores)
    assert metadata["pipeline_tag"] == "text-to-speech"
    assert metadata["language"] == ["en"]
    assert "license" not in metadata
    assert list(sections) == [
        *("How to load it", "Model", "Training data", "Scores", "Intended use", "Limits"),
        *("Consent and misuse", "Citation"),
    ]
    assert 'Text2Speech.from_pretrained("model.zip")' in sections["How to load it"]
    assert "8 utterances" in sections["Training data"]
    assert "2 voices\n" in sections["Training data"] + "\n"
    _, augmented = card(files, train_index=str(tmp_path / "index"), augmented=True)
    assert "2 voices, copies at other speeds" in augmented["Training data"]
    assert "espeak-ng" in sections["Training data"]
    assert "nobody was recorded" in sections["Consent and misuse"]
    assert "closed vocabulary" in sections["Limits"]
    assert "arXiv:2301.02111" in sections["Citation"]
    assert "arXiv:2406.05370" not in sections["Citation"]


def test_a_card_names_the_languages_of_a_model_of_several(files):
    path = Path(files["ar_train_config"])
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["g2p"] = "en=espeak:en-us de=espeak:de"
    config["valle_conf"] |= {"language_id": "audio", "languages": ["de", "en"]}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    metadata, sections = card(files, corpus="mini_x")
    assert metadata["language"] == ["en", "zh", "de", "es", "pl"]
    assert card(files)[0]["language"] == ["en", "de"]
    assert (
        '- Languages: en, de; name those of text and prompt (`lang="en", prompt_lang="de"`)'
        in sections["Model"]
    )
    assert 'prompt_text="what is said in voice.wav")' in sections["How to load it"]
    assert 'what is said in voice.wav", lang="en", prompt_lang="de")' in sections["How to load it"]
    assert "--lang en --prompt_lang de \\\n  --prompt voice.wav" in sections["How to load it"]
    assert "arXiv:2303.03926" in sections["Citation"]
    assert "closed vocabulary" in sections["Limits"]


def tell(files, kind, **conf):
    """Add to the valle_conf of a training."""
    path = Path(files[f"{kind}_train_config"])
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["valle_conf"] |= conf
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


STYLE = {"style": ["emotion", "energy"], "emotions": ["happy", "sad"], "style_bins": 7}


@pytest.mark.parametrize("kinds", [("ar", "nar"), ("nar",)])
def test_a_card_names_emotions_and_conditions_and_shows_how_to_ask_for_them(files, kinds):
    assert "valle say" not in card(files)[1]["How to load it"]
    for kind in kinds:
        tell(files, kind, **STYLE)
    _, sections = card(files, corpus="mini_emo")
    assert '- Emotions: happy, sad; name one (`emotion="happy"`)' in sections["Model"]
    assert "- Told as well: `energy`, from 1 (lowest) to 7 (highest)" in sections["Model"]
    assert ', emotion="happy", energy=6)' in sections["How to load it"]
    assert (
        'valle say "seven two nine" --emotion happy --energy 6 \\\n  --prompt' in sections["How to load it"]
    )


def test_a_card_tells_of_style_without_emotions(files):
    tell(files, "ar", style=["energy"])
    _, sections = card(files)
    assert "Emotions" not in sections["Model"]
    assert "from 1 (lowest) to 5 (highest)" in sections["Model"]


def test_scores_by_language_and_emotion_are_on_the_card(files, tmp_path):
    systems = ("valle", "vits")
    shares = {name: {"word_accuracy": 0.9, "sim_prompt": 0.8} for name in systems}
    heard = {"systems": {name: {"accuracy": METRIC} for name in systems}}
    told = {"accuracy": METRIC, "within": {"accuracy": METRIC}, "across": {"accuracy": METRIC}}
    spoken = {"systems": dict.fromkeys(systems, told)}
    scores = {**SCORES, "across_over_within": shares, "emotion": heard, "language": spoken}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    text = card(files, scores=str(tmp_path / "scores.json"))[1]["Scores"]
    assert (
        "VALL-E, across as a share of within: word accuracy 90.0 %, similarity to the prompt 80.0 %" in text
    )
    assert "| Language recognised | within | across |" in " ".join(text.split())
    emotions = text.split("Emotion recognised", 1)[1].split("How the utterances ended", 1)[0]
    assert "92.3 % (90.5 to 94.2)" in emotions
    assert "vits" not in text.lower()


def test_scores_come_with_protocol_and_intervals(files, scores):
    _, sections = card(files, scores=scores)
    text = sections["Scores"]
    assert (
        "7 pairs of prompt and text of the test set; the prompt is another recording of the speaker" in text
    )
    assert "Whisper base.en" in text
    assert "Commit c0ffee. In brackets: 95 % bootstrap interval" in text
    assert text.count("92.3 % (90.5 to 94.2)") == 6  # three systems, over pairs and over speakers
    assert "vits" not in text


def test_a_run_without_scores_or_data_says_so(files):
    _, sections = card(files)
    assert sections["Scores"].strip() == "This run was not scored: how well it speaks is not known."
    assert "Not known to the program" in sections["Training data"]
    assert f"Licence of the weights: {UNSTATED}" in sections["Model"]
    assert f"Consent of the people in the training data: {UNSTATED}" in sections["Consent and misuse"]


def test_corpora_have_their_licence_or_the_page_that_states_it(files):
    metadata, sections = card(files, corpus="libritts_r emovdb")
    assert "LibriTTS-R, licence CC BY 4.0, https://www.openslr.org/141" in sections["Training data"]
    assert "EmoV-DB, licence: see its page, https://www.openslr.org/115" in sections["Training data"]
    assert metadata["language"] == ["en"]
    metadata, sections = card(files, corpus="libritts_r folder")
    assert "Recordings of the lab's own" in sections["Training data"]
    assert "language" not in metadata


def test_a_lab_has_its_say(files, tmp_path):
    said = {name: f"our {name}" for name in Statements.__dataclass_fields__}
    said |= {"license": "cc-by-4.0", "language": "de fr"}
    metadata, sections = card(files, card_config=statements(tmp_path / "card.yaml", **said))
    assert metadata["license"] == "cc-by-4.0"
    assert metadata["language"] == ["de", "fr"]
    text = make_card(CardFiles(**files, card_config=str(tmp_path / "card.yaml")))
    for name, value in said.items():
        assert value in text or name == "language"
    assert "Contact: our contact" in sections["Consent and misuse"]


def test_a_licence_that_the_hub_does_not_know_has_a_name(files, tmp_path):
    config = statements(tmp_path / "card.yaml", license="Our Lab's Licence 1.0")
    metadata, _ = card(files, card_config=config)
    assert (metadata["license"], metadata["license_name"]) == ("other", "our-lab-s-licence-1.0")


def test_the_shipped_statements_say_nothing(files):
    assert card(files) == card(files, card_config=str(find("card.yaml")))
    assert set(yaml.safe_load(find("card.yaml").read_text())) == set(Statements.__dataclass_fields__)


def test_a_statement_of_another_name_is_told(files, tmp_path):
    with pytest.raises(InputError, match="there is no key 'licence'.*the nearest is 'license'"):
        card(files, card_config=statements(tmp_path / "card.yaml", licence="mit"))


@pytest.mark.parametrize("text", ["{", "[]", '{"systems": {}}'])
def test_other_files_are_no_scores(files, tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(InputError, match="scores.json: cannot be read|scores.json: is no scores.json"):
        card(files, scores=str(tmp_path / "scores.json"))


def test_a_model_that_was_fine_tuned_names_its_base_and_no_folder(files, tmp_path):
    metadata, sections = card(files, base_model="lab/valle_base")
    assert metadata["base_model"] == "lab/valle_base"
    (tmp_path / "model.zip").touch()
    metadata, sections = card(files, base_model=str(tmp_path / "model.zip"))
    assert "base_model" not in metadata
    assert "Fine-tuned from `model.zip`" in sections["Model"]
