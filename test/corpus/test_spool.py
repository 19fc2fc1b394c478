import math

from espnet2_valle.corpus import spool
from espnet2_valle.corpus.spool import Spool
from espnet2_valle.data.utterances import Utterance

RECORDINGS = [
    Utterance("b-1", "b", "two words", "/x/b.flac", "en", "", (0.1, math.inf)),
    Utterance("a-2", "ä", "one", "/x/a.flac", "", "sad", None),
    Utterance("a-1", "a", "", "/x/a.flac", "de", "", (0.0, 1 / 3)),
]


def test_recordings_come_back_as_they_were(monkeypatch):
    for buffered in (1, 2, 3, 1000):
        monkeypatch.setattr(spool, "BUFFERED", buffered)
        kept = Spool()
        for number, recording in enumerate(RECORDINGS, 1):
            kept.append(recording)
            assert list(kept) == RECORDINGS[:number]
            assert len(kept) == number
        assert list(kept.in_order()) == [RECORDINGS[2], RECORDINGS[1], RECORDINGS[0]]
        assert list(kept) == RECORDINGS
        assert RECORDINGS[1] in kept
