"""Pairs of a list, said with the same wishes."""

from collections.abc import Sequence
from typing import Any

from espnet2_valle.common.seeds import seed_of
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair
from espnet2_valle.generate.request import Request
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.text2speech import Text2Speech


def say(text2speech: Text2Speech, pairs: Sequence[Pair], data: DataDir, **wishes: Any) -> list[Speech]:
    """The speech of each pair with the same wishes, which are fields of `Request`; a seed is of its pair."""
    requests = [
        Request(
            data.texts[pair.target_utt],
            data.wavs[pair.prompt_utt],
            data.texts[pair.prompt_utt],
            seed=seed_of(text2speech.seed, pair.pair_id),
            **wishes,
        )
        for pair in pairs
    ]
    return text2speech.batch(requests)
