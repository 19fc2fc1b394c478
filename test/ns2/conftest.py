import pytest
from ns2_samples import tiny_model


@pytest.fixture
def tiny():
    return tiny_model()
