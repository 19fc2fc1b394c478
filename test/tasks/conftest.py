import pytest
from training_samples import write_archive


@pytest.fixture
def archive(tmp_path):
    """Token ids and codes of eight utterances, with what the task needs beside them."""
    return write_archive(tmp_path)
