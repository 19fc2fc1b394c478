"""Text in, sound out while the rest is still being made."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.stream import CodecStream
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.generate.ar_decoding import ARDecoder, Decoded
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import StreamTail
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Prepared, Request
from espnet2_valle.generate.sentences import Sentence
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.mark.abs_watermark import AbsWatermark
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.chunks import Chunks
from espnet2_valle.valle.nar import VALLENAR, NARContext

FIRST_SECONDS = 0.2  # the first chunk is short, so that something is heard early
CHUNK_SECONDS = 0.5  # for models that were not trained with chunks of a given length


def choose_chunks(
    nar: VALLENAR, frame_rate: float, first_seconds: float = FIRST_SECONDS, seconds: float | None = None
) -> Chunks:
    """Chunks of `seconds` behind a first one; by default those that `nar` was trained with.

    Raises:
        ValueError: less than a frame.
    """
    trained = nar.chunk_frames or round(CHUNK_SECONDS * frame_rate)
    size = trained if seconds is None else round(seconds * frame_rate)
    return Chunks(min(size, round(first_seconds * frame_rate)), size)


def check_streams(text2speech: Text2Speech) -> None:
    """Raise InputError for a model that can only say whole sentences."""
    if not text2speech.streams:
        raise InputError(
            "model", "NaturalSpeech 2 says whole sentences and does not stream", "Use valle say or longform"
        )


@dataclass
class StreamingState:
    """All that belongs to one stream; models and codec hold nothing of it.

    Attributes:
        prepared: what was asked for.
        seam: the codec's.
        tail: what has left so far.
        ar: the AR model's state, with its cache and source of randomness; None where streams share one.
        nar: the NAR model's; None before the first chunk.
        first: codes of codebook 1 that wait for their chunk to be full.
        codes: (t, Q) of each chunk so far.
        outcome: None until the stream has ended.
    """

    prepared: Prepared
    seam: CodecStream
    tail: StreamTail
    ar: ARDecoder | None = None
    nar: NARContext | None = None
    first: list[int] = field(default_factory=list)
    codes: list[torch.Tensor] = field(default_factory=list)
    outcome: Outcome | None = None


class Streamer:
    """Maker of streams. Any number of them may be under way at once and share the models.

    Example:
        >>> streamer = Streamer.of(Text2Speech.from_pretrained("exp/mini/model.zip"))
        >>> state = streamer.start(text2speech.prepare(Request("seven two nine", "voice.npz")))
        >>> for wav in streamer.run(state):  # (S,) float32 at text2speech.fs
        ...     play(wav)
        >>> state.outcome

    A stream cannot take back what was heard: there is one candidate and no second try.

    Args:
        ar, nar, codec: models in evaluation mode, and their codec.
        sampling: how codes are drawn.
        chunks: after how many frames sound leaves; `nar` should be trained with chunks of that size.
        watermark: signs what leaves; None leaves it unsigned.
    """

    def __init__(
        self,
        ar: VALLEAR,
        nar: VALLENAR,
        codec: AbsCodec,
        sampling: SamplingOptions,
        chunks: Chunks,
        watermark: AbsWatermark | None,
    ):
        if not nar.chunk_frames:
            logging.warning("the NAR model was trained without chunk_frames: streamed speech may suffer")
        self.ar = ar
        self.nar = nar
        self.codec = codec
        self.sampling = sampling
        self.chunks = chunks
        self.watermark = watermark

    @classmethod
    def of(cls, text2speech: Text2Speech, chunks: Chunks | None = None) -> "Streamer":
        """A streamer with the models and options of `text2speech`; by default chunks as in training."""
        check_streams(text2speech)
        if text2speech.options.best_of > 1 or text2speech.options.retries:
            logging.warning("a stream has one candidate and no second try: best_of and retries are not used")
        chunks = chunks or choose_chunks(text2speech.nar, text2speech.codec.frame_rate)
        models = text2speech.ar, text2speech.nar, text2speech.codec
        return cls(*models, text2speech.options, chunks, text2speech.watermark)

    def start(self, prepared: Prepared) -> StreamingState:
        """Begin a stream: the AR model reads text and prompt."""
        state = self.open(prepared)
        state.ar = ARDecoder(self.ar, [prepared.utterance(prepared.seed)], self.sampling)
        return state

    def open(self, prepared: Prepared) -> StreamingState:
        """A stream whose codes of codebook 1 someone else draws and puts into `first`; see `sound`."""
        tail = StreamTail(self.codec.sample_rate, self.watermark)
        return StreamingState(prepared, CodecStream(self.codec, prepared.prompt.cpu().numpy()), tail)

    def run(self, state: StreamingState) -> Iterator[np.ndarray]:
        """The rest of a stream: chunks (S,) float32, none empty, at the codec's rate."""
        while state.outcome is None:
            wav = self.advance(state)
            if len(wav):
                yield wav

    @torch.inference_mode()
    def advance(self, state: StreamingState) -> np.ndarray:
        """Make the next chunk (S,) float32; after the last one, `state.outcome` is set.

        A chunk may be empty, where a stream ends at once.
        """
        assert state.ar is not None
        while len(state.first) < self.wanted(state) and not state.ar.finished:
            state.first += state.ar.step()[0]
        return self.sound(state, self._result(state.ar).outcome if state.ar.finished else None)

    def wanted(self, state: StreamingState) -> int:
        """Codes that the next chunk has, unless the stream ends in it."""
        return self.chunks.size if state.codes else self.chunks.first

    @torch.inference_mode()
    def sound(self, state: StreamingState, ended: Outcome | None) -> np.ndarray:
        """Make a chunk (S,) float32, perhaps empty, of the codes that wait.

        Args:
            state: with as many codes as are `wanted`, or all that are left.
            ended: how the AR model has ended; `state.outcome` is set behind the last chunk.
        """
        wanted = self.wanted(state)
        heard = [self._decode(state, state.first[:wanted])] if state.first else []
        state.first = state.first[wanted:]
        if ended is not None and not state.first:
            heard += [state.tail.pass_on(state.seam.flush()), state.tail.flush()]
            state.outcome = state.tail.outcome(ended)
        return np.concatenate(heard) if heard else np.zeros(0, dtype=np.float32)

    def read(
        self, text2speech: Text2Speech, sentences: Iterable[Sentence], voice: PreparedPrompt
    ) -> Iterator[np.ndarray]:
        """One sentence behind the other, each a stream of its own, with its pause behind it.

        The first sound waits for the first sentence alone, and memory does not grow with the text. A sentence
        is taken when it is needed, so that a text may still be written.

        Args:
            text2speech: reads text.
            sentences: what to say.
            voice: the prompt of all.

        Yields:
            chunks (S,) float32, none empty, at the codec's rate.
        """
        for number, sentence in enumerate(sentences):
            seed = seed_of(text2speech.seed, number)
            asked = Request(sentence.text, voice, seed=seed, lang=sentence.lang)
            prepared = text2speech.prepare(asked)
            if prepared.problem:
                logging.warning("sentence %d: %s", number + 1, prepared.problem)
            state = self.start(prepared)
            yield from self.run(state)
            assert state.outcome is not None
            if state.outcome is not Outcome.OK:
                logging.warning(
                    "sentence %d ended with %s: %s", number + 1, state.outcome.value, sentence.text
                )
            silence = np.zeros(round(sentence.pause * self.codec.sample_rate), dtype=np.float32)
            if len(silence):
                yield silence

    def synthesise(self, prepared: Sequence[Prepared]) -> list[Speech]:
        """Run each stream to its end, one at once; `Text2Speech.batch(requests, streamer.synthesise)`."""
        results = []
        for each in prepared:
            state = self.start(each)
            wavs = [np.zeros(0, dtype=np.float32), *self.run(state)]
            assert state.outcome is not None
            assert state.ar is not None
            results.append(
                Speech(
                    wav=torch.from_numpy(np.concatenate(wavs)),
                    fs=self.codec.sample_rate,
                    codes=torch.cat([each.prompt[:0], *state.codes]).cpu(),
                    outcome=state.outcome,
                    log_probability=self._result(state.ar).log_probability,
                )
            )
        return results

    @torch.inference_mode()
    def whole(self, prepared: Prepared) -> tuple[np.ndarray, torch.Tensor, Outcome]:
        """The same speech, but each model goes over the whole utterance in one pass.

        Returns:
            wav (S,) float32, codes (T, Q), and the outcome.
        """
        state = self.start(prepared)
        assert state.ar is not None
        while not state.ar.finished:
            state.first += state.ar.step()[0]
        first = torch.tensor([state.first], dtype=torch.long, device=prepared.text.device)
        if first.shape[1] == 0:
            return np.zeros(0, dtype=np.float32), prepared.prompt[:0], self._result(state.ar).outcome
        given = prepared.text[None], prepared.prompt[None], first, self.chunks, [prepared.languages]
        codes = self.nar.generate(*given, [prepared.style])[0]
        pieces = [codes[start:end].cpu().numpy() for start, end in self.chunks.bounds(len(codes))]
        wavs = [state.seam.push(piece) for piece in pieces]
        wav = state.tail.pass_on(np.concatenate([*wavs, state.seam.flush()]))
        wav = np.concatenate([wav, state.tail.flush()])
        return wav, codes, state.tail.outcome(self._result(state.ar).outcome)

    def _decode(self, state: StreamingState, first: list[int]) -> np.ndarray:
        """Codebook 1 of a chunk to sound."""
        device = state.prepared.text.device
        if state.nar is None:
            given = state.prepared
            state.nar = self.nar.prefill(given.text, given.prompt, given.languages, given.style)
        codes = self.nar.extend(torch.tensor(first, dtype=torch.long, device=device), state.nar)
        state.codes.append(codes)
        return state.tail.pass_on(state.seam.push(codes.cpu().numpy()))

    @staticmethod
    def _result(decoder: ARDecoder) -> Decoded:
        """Of a decoder that has finished its one utterance."""
        result = decoder.results[0]
        assert result is not None
        return result
