"""Paragraphs and chapters, sentence by sentence: no more is in memory than the voice and a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.options import load
from espnet2_valle.common.resume import digest
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import StreamTail
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.prompt_check import frame_levels, mean_db, speech_threshold
from espnet2_valle.generate.resumable_wav import GrowingRecording
from espnet2_valle.generate.sentences import Sentence
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.text.markup import without_emotions
from espnet2_valle.text.tokens import NO_SYMBOL

FIXED, ROLLING = "fixed", "rolling"
ROLLING_SECONDS = 1.5  # a shorter sentence is no prompt for the next


@dataclass(frozen=True)
class LongformOptions:
    """The options of conf/longform.yaml.

    Raises:
        InputError: a value out of range.
    """

    pauses: Mapping[str, float]
    language: str = "en"
    prompt: str = FIXED
    max_words: int = 30
    max_gain: float = 12.0

    @classmethod
    def load(cls, path: str | Path) -> "LongformOptions":
        """Read conf/longform.yaml or one like it.

        Raises:
            InputError: it cannot be read, an unknown key, no pauses, or a value out of range.
        """
        return load(cls, path, "--longform_config", example="conf/longform.yaml")

    def __post_init__(self) -> None:
        ranges = {
            "prompt": self.prompt in (FIXED, ROLLING),
            "max_words": self.max_words >= 1,
            "max_gain": self.max_gain >= 0,
            "pauses": "other" in self.pauses and all(value >= 0 for value in self.pauses.values()),
        }
        for name, valid in ranges.items():
            if not valid:
                raise InputError(name, f"{getattr(self, name)} is out of range", "See conf/longform.yaml")


def speak(
    text2speech: Text2Speech,
    sentences: Sequence[Sentence],
    prompt: PreparedPrompt,
    options: LongformOptions,
    output: str | Path,
) -> list[str]:
    """Say all sentences into one sound file; a run that was broken off goes on at the sentence it was at.

    Where the text was changed meanwhile, it goes on at the first sentence that is another one. Each sentence
    draws from its own seed and is brought to the prompt's level, so what is written does not depend on where
    a run was broken off.

    Args:
        text2speech: the model; its `retries` count for each sentence.
        sentences: what to say.
        prompt: the voice.
        options: pauses, prompts, levels.
        output: a WAV or FLAC file.

    Returns:
        the outcome of each sentence.

    Raises:
        InputError: sentences without a symbol that the model knows; all are named, and none has been said.
    """
    check_sentences(text2speech, sentences)
    stamp = _stamp(text2speech, prompt, options)
    digests = [
        digest([sentence.text, str(sentence.pause), *filter(None, [sentence.lang])]) for sentence in sentences
    ]
    recording = GrowingRecording(output, text2speech.fs, stamp, digests)
    rolling = recording.voice(text2speech.codec)
    done = len(recording.said)
    with tqdm(total=len(sentences), initial=done, desc="sentences", disable=None) as bar:
        for number, sentence in enumerate(sentences[done:], done):
            seed = seed_of(text2speech.seed, number)
            prompt_lang = rolling.lang if rolling else None
            voice = replace(rolling, styled=True) if rolling else prompt
            result = text2speech(sentence.text, voice, seed=seed, lang=sentence.lang, prompt_lang=prompt_lang)
            if options.prompt == ROLLING:
                rolling = _next_prompt(result, sentence, text2speech) or rolling
            wav = level_out(result.wav.numpy(), prompt.wav, text2speech.fs, options)
            recording.add(wav, sentence.pause, result.outcome.value, rolling)
            bar.update()
    recording.finish(prompt.provenance.comment())
    return [said.outcome for said in recording.said]


def with_language(text2speech: Text2Speech, sentences: Sequence[Sentence]) -> list[Sentence]:
    """The sentences with the language that they have together, for a model of several.

    Raises:
        InputError: see `Text2Speech.language_of`.
    """
    if len(text2speech.languages) < 2:
        return list(sentences)
    language = text2speech.language_of(" ".join(sentence.text for sentence in sentences))
    return [replace(sentence, lang=language) for sentence in sentences]


def check_sentences(text2speech: Text2Speech, sentences: Sequence[Sentence]) -> None:
    """Raise InputError, which names them all, if there are sentences that cannot be said."""
    mute, known = [], True
    for number, sentence in enumerate(sentences, 1):
        try:
            text2speech.check_text(sentence.text, sentence.lang)
        except WorkError:
            raise
        except InputError as error:
            said = f"'{sentence.text}'" if NO_SYMBOL in error.problem else error.problem
            known = known and NO_SYMBOL in error.problem
            mute.append(f"{number} ({said})")
    if mute:
        why = "the model knows no symbol" if known else "something cannot be said"
        raise InputError(
            "text",
            f"in {len(mute)} of {len(sentences)} sentences {why}: {', '.join(mute)}",
            "Correct them, or take them out",
        )


def level_out(wav: np.ndarray, reference: np.ndarray, rate: int, options: LongformOptions) -> np.ndarray:
    """Bring the speech in `wav` (S,) to the level of that in `reference`; peaks are bent, not scaled."""
    if len(wav) == 0:
        return wav
    gain = np.clip(
        speech_level(reference, rate) - speech_level(wav, rate), -options.max_gain, options.max_gain
    )
    # It is signed already.
    return StreamTail(rate, None).pass_on((wav * 10 ** (gain / 20)).astype(np.float32))


def speech_level(wav: np.ndarray, rate: int) -> float:
    """Level of the frames of `wav` (S,) that are speech, in dB of full scale."""
    levels = frame_levels(wav, rate)
    return mean_db(levels[levels > speech_threshold(levels)])


def _next_prompt(result: Speech, sentence: Sentence, text2speech: Text2Speech) -> PreparedPrompt | None:
    """The sentence just said as a prompt, if it went well and is long enough."""
    wav = result.wav.numpy()
    if result.outcome is not Outcome.OK or len(wav) < ROLLING_SECONDS * text2speech.fs:
        return None
    prompt = PreparedPrompt.encode(wav, without_emotions(sentence.text), text2speech.codec)
    return replace(prompt, lang=sentence.lang or "")


def _stamp(text2speech: Text2Speech, prompt: PreparedPrompt, options: LongformOptions) -> dict[str, str]:
    """A digest of all that decides how each sentence sounds, whatever it says."""
    weights = [
        float(tensor.double().sum())
        for model in text2speech.networks
        for tensor in model.state_dict().values()
    ]
    voice = (prompt.codes.tolist(), prompt.text, speech_level(prompt.wav, text2speech.fs))
    recognizer = text2speech.options.component
    chooser = recognizer.identity() if recognizer else ""  # with another, all is said anew
    made_by = (voice, options.prompt, options.max_gain, text2speech.choices, chooser, weights)
    return {"stamp": digest([repr(made_by)])}
