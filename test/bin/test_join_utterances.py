import numpy as np
import pytest
import yaml

from espnet2_valle.bin import join_utterances
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.codes import CodeWriter, read_codes

CODEC = {"type": "world", "model": None, "options": {}, "sample_rate": 8000, "frame_rate": 10.0}


@pytest.fixture
def training_set(tmp_path):
    """Two utterances of x, one of y: 5, 7 and 6 frames at 10 a second."""
    rng = np.random.default_rng(0)
    with CodeWriter(tmp_path / "codes") as writer:
        for utt, frames in {"x1": 5, "x2": 7, "y1": 6}.items():
            writer[utt] = rng.integers(0, 9, (frames, 2))
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\n<space>\na\nb\n<sos/eos>\n")
    (tmp_path / "token_int").write_text("x1 3 4\nx2 4\ny1 3\n")
    (tmp_path / "utt2spk").write_text("x1 x\nx2 x\ny1 y\n")
    (tmp_path / "codec.yaml").write_text(yaml.safe_dump({**CODEC, "num_codebooks": 2, "codebook_size": 9}))
    return tmp_path


def join(folder, *more):
    join_utterances.main(
        [
            f"--codes_dir={folder}/codes",
            f"--token_dir={folder}",
            f"--token_list={folder}/tokens.txt",
            f"--codec_config={folder}/codec.yaml",
            f"--utt2spk={folder}/utt2spk",
            f"--output_dir={folder}/joined",
            *more,
        ]
    )
    rows = (folder / "joined" / "token_int").read_text().splitlines()
    return read_codes(folder / "joined" / "codes.scp"), dict(row.split(" ", 1) for row in rows)


def test_codes_and_texts_are_joined_alike(training_set):
    codes, texts = join(training_set)
    alone = read_codes(training_set / "codes" / "codes.scp")
    assert texts == {"x1": "3 4", "x2": "4", "y1": "3", "x1+x2": "3 4 2 4", "x2+x1": "4 2 3 4"}
    assert list(codes) == list(texts)
    np.testing.assert_array_equal(codes["x1+x2"], np.concatenate([alone["x1"], alone["x2"]]))
    shapes = (training_set / "joined" / "codes_shape").read_text().splitlines()
    assert shapes[3] == "x1+x2 12,2"


def test_nothing_longer_than_the_limit_is_made(training_set):
    assert set(join(training_set, "--max_seconds=1.1")[1]) == {"x1", "x2", "y1"}


def test_an_utterance_without_speaker_is_named(training_set):
    (training_set / "utt2spk").write_text("x1 x\nx2 x\n")
    with pytest.raises(InputError, match="'y1' has no text or speaker"):
        join(training_set)
