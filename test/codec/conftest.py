import pytest
from codec_samples import OPTIONS, voices

from espnet2_valle.codec.world import WorldCodec, build_features
from espnet2_valle.codec.world_config import WorldConfig


@pytest.fixture(scope="session")
def features():
    return build_features(WorldConfig.from_dict(OPTIONS, "test"))


@pytest.fixture(scope="session")
def analysed(features):
    return [features.analyse(wav) for wav in voices()]


@pytest.fixture(scope="session")
def codec(analysed):
    return WorldCodec.fit(OPTIONS, analysed)
