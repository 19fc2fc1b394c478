import pytest
from codec_samples import OPTIONS, voices

from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_fit import build_features


@pytest.fixture(scope="session")
def features():
    return build_features(WorldConfig.from_dict(OPTIONS, "test"))


@pytest.fixture(scope="session")
def analysed(features):
    return [features.analyse(wav) for wav in voices()]


@pytest.fixture(scope="session")
def codec(analysed):
    return WorldCodec.fit(OPTIONS, analysed)
