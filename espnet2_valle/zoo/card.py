"""The model card: what a packed model is, in the Markdown that the HuggingFace hub shows as README.md."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

HUB_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")  # how the hub's identifiers look
UNSTATED = "not stated by those who packed the model"
ABOUT = """\
Zero-shot text-to-speech: VALL-E, trained with ESPnet and espnet2_valle. From about three seconds of a voice,
what is said in them, and a text, it makes speech."""
ABOUT_NS2 = """\
Zero-shot text-to-speech: NaturalSpeech 2, trained with ESPnet and espnet2_valle. From about three seconds of
a voice and a text it makes speech, at the speed and pitch that is asked for."""
NS2 = """\
@article{shen2023naturalspeech2,
  title   = {{NaturalSpeech} 2: Latent Diffusion Models are Natural and Zero-Shot
             Speech and Singing Synthesizers},
  author  = {Shen, Kai and Ju, Zeqian and Tan, Xu and others},
  journal = {arXiv:2304.09116},
  year    = {2023}
}
"""
TAGS = ("espnet", "text-to-speech", "voice-cloning", "vall-e")

LOADING = """\
```python
import soundfile
from espnet2_valle.generate.text2speech import Text2Speech

text2speech = Text2Speech.from_pretrained("model.zip")  # or the name of the repository that shows this card
result = text2speech({text}, prompt_speech="voice.wav", prompt_text="what is said in voice.wav")
print(result.outcome)
soundfile.write("out.wav", result.wav, text2speech.fs)
```

`voice.wav` is about three seconds of the voice. The weights are safetensors: opening them runs no code.
`SHA256SUMS` tells what was packed.
"""
ASKING = """\
The model may be told more than the text, in Python and on the command line; the values are below.

```python
result = text2speech({text}, "voice.wav", "what is said in voice.wav", {python})
```

```sh
valle say {text} {shell} \\
  --prompt voice.wav --prompt_text "what is said in voice.wav" --model_tag model.zip -o out.wav
```
"""
INTENDED_USE = "Research on speech synthesis, and speech in voices whose owners have agreed to it."
LIMITS = """\
It can leave words out, repeat them or say others, and sound unlike the prompt: `outcome` of a result says how
it ended, and the scores how often words come out. Voices, languages and ways of speaking that are not in the
training data are imitated less well. A prompt that is noisy, or whose text is not what is said, makes worse
speech."""
MISUSE = """\
Speak only in the voice of somebody who has agreed to it, and tell listeners that the speech is made by a
machine. Do not use the model to impersonate or deceive, to get past a check of voices, or to make somebody
say what they would not."""
VALLE = """\
@article{wang2023valle,
  title   = {Neural Codec Language Models are Zero-Shot Text to Speech Synthesizers},
  author  = {Wang, Chengyi and Chen, Sanyuan and Wu, Yu and others},
  journal = {arXiv:2301.02111},
  year    = {2023}
}
"""
VALLEX = """\
@article{zhang2023vallex,
  title   = {Speak Foreign Languages with Your Own Voice: Cross-Lingual Neural Codec Language Modeling},
  author  = {Zhang, Ziqiang and Zhou, Long and Wang, Chengyi and others},
  journal = {arXiv:2303.03926},
  year    = {2023}
}
"""
VALLE2 = """\
@article{chen2024valle2,
  title   = {{VALL-E} 2: Neural Codec Language Models are Human Parity Zero-Shot Text to Speech Synthesizers},
  author  = {Chen, Sanyuan and Liu, Shujie and Zhou, Long and others},
  journal = {arXiv:2406.05370},
  year    = {2024}
}
"""
ESPNET = """\
@inproceedings{watanabe2018espnet,
  title     = {{ESPnet}: End-to-End Speech Processing Toolkit},
  author    = {Watanabe, Shinji and Hori, Takaaki and Karita, Shigeki and others},
  booktitle = {Proceedings of Interspeech},
  pages     = {2207--2211},
  year      = {2018}
}
"""


@dataclass(frozen=True)
class Statements:
    """Statements of a lab on its model: conf/card.yaml, which explains the keys."""

    license: str | None = None
    language: str | None = None
    authors: str | None = None
    contact: str | None = None
    data: str | None = None
    data_license: str | None = None
    consent: str | None = None
    intended_use: str | None = None
    limits: str | None = None
    citation: str | None = None


@dataclass(frozen=True)
class Facts:
    """Facts that a run knows of its model.

    Attributes:
        name: of the run.
        model: lines of Markdown about models, codec and reading of texts.
        data: the same about the training data.
        scores: Markdown with tables; empty where the run was not scored.
        languages: ISO 639-1 codes.
        base_model: that was fine-tuned; empty: none.
        grouped: VALL-E 2's grouped codes.
        told: of VALL-E X, models that are told languages by IDs.
        diffusion: NaturalSpeech 2, not VALL-E.
        options: of speaking beside the text, for an example; none: the model is told nothing else.
        limits: Markdown, beside the usual ones.
        consent: of the people in the training data, where the data tell; a lab's own statement goes before.
        text: that the model can say, for the example.
    """

    name: str
    model: Sequence[str]
    data: Sequence[str]
    scores: str = ""
    languages: Sequence[str] = ()
    base_model: str = ""
    grouped: bool = False
    told: bool = False
    diffusion: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: str = ""
    consent: str = ""
    text: str = "what to say"


def write_card(facts: Facts, said: Statements) -> str:
    """Text of the card; no statement is made up where a lab makes none."""
    weights = f"- Licence of the weights: {said.license or UNSTATED}"
    licence = f"- Licence of the data: {said.data_license}" if said.data_license else ""
    sections = {
        "How to load it": _usage(facts),
        "Model": "\n".join([*facts.model, weights]),
        "Training data": _paragraphs("\n".join(filter(None, (*facts.data, licence))), said.data),
        "Scores": facts.scores or "This run was not scored: how well it speaks is not known.",
        "Intended use": said.intended_use or INTENDED_USE,
        "Limits": _paragraphs(facts.limits, LIMITS, said.limits),
        "Consent and misuse": _paragraphs(
            f"Consent of the people in the training data: {said.consent or facts.consent or UNSTATED}",
            MISUSE,
            said.contact and f"Contact: {said.contact}",
        ),
        "Citation": _paragraphs(f"```bibtex\n{_papers(facts)}{ESPNET}```", said.citation),
    }
    body = "\n\n".join(f"## {title}\n\n{text.strip()}" for title, text in sections.items())
    usual = ABOUT_NS2 if facts.diffusion else ABOUT
    about = f"{usual} Trained by {said.authors}." if said.authors else usual
    return f"---\n{_metadata(facts, said)}---\n\n# {facts.name}\n\n{about}\n\n{body}\n"


def _usage(facts: Facts) -> str:
    """Usage: opening the model, and telling it what it may be told."""
    text = json.dumps(facts.text, ensure_ascii=False)
    if not facts.options:
        return LOADING.format(text=text)
    python = ", ".join(f"{name}={json.dumps(value)}" for name, value in facts.options.items())
    shell = " ".join(f"--{name} {value}" for name, value in facts.options.items())
    return LOADING.format(text=text) + "\n" + ASKING.format(text=text, python=python, shell=shell)


def _papers(facts: Facts) -> str:
    """BibTeX of the papers that the model is from."""
    if facts.diffusion:
        return NS2
    return VALLE + (VALLEX if facts.told else "") + (VALLE2 if facts.grouped else "")


def _metadata(facts: Facts, said: Statements) -> str:
    """YAML that the hub reads; what is unknown is left out."""
    languages = said.language.split() if said.language else list(facts.languages)
    content: dict[str, Any] = {}
    if said.license and HUB_LICENSE.fullmatch(said.license):
        content["license"] = said.license
    elif said.license:
        content |= {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", said.license.lower())}
    if languages:
        content["language"] = languages
    content |= {"pipeline_tag": "text-to-speech", "library_name": "espnet", "tags": _tags(facts)}
    if "/" in facts.base_model and not facts.base_model.endswith(".zip") and "://" not in facts.base_model:
        content["base_model"] = facts.base_model
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _tags(facts: Facts) -> list[str]:
    return [*TAGS[:-1], "naturalspeech2" if facts.diffusion else TAGS[-1]]


def _paragraphs(*texts: str | None) -> str:
    return "\n\n".join(text.strip() for text in texts if text)
