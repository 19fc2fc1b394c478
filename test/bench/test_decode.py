"""The decoding benchmark runs and reports every metric; how fast things are is not tested."""

import json
import math

import numpy as np
import pytest

from espnet2_valle.bench.decode import CONF, build, utterance, weight_bytes
from espnet2_valle.bench.speech import speech_codec, voice
from espnet2_valle.bin import benchmark
from espnet2_valle.common.errors import InputError

SMALL = ["--size=mini", "--seconds=0.4", "--steps=2", "--rounds=1", "--long_frames=310", "--batch_size=2"]


def test_every_metric_is_there(tmp_path, capsys):
    benchmark.main(["decode", *SMALL, "--num_threads=1", f"--json={tmp_path}/metrics.json"])
    rows = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    barred = {row["metric"] for row in rows if row["bar"]}
    assert barred == {
        "decode.cached_over_uncached",
        "decode.batch_over_single",
        "decode.cost_late_over_early",
        "decode.bandwidth_share",
        "decode.rtf",
    }
    assert all(math.isfinite(row["value"]) and row["value"] > 0 for row in rows)
    parts = {row["metric"]: row["value"] for row in rows if row["metric"].startswith("decode.rtf")}
    assert parts["decode.rtf"] == pytest.approx(sum(parts.values()) - parts["decode.rtf"], rel=0.01)
    table = capsys.readouterr().out
    assert all(f"| {row['metric']} |" in table for row in rows)


def test_bytes_are_those_of_the_weights():
    class Args:
        size, conf_dir, device = "mini", str(CONF), "cpu"

    model = build(Args, "ar", group_size=1)
    linear = sum(p.nbytes for block in model.transformer.blocks for p in block.parameters())
    table = model.codes.weight.nbytes
    assert linear + table < weight_bytes(model) < 1.01 * (linear + table)


def test_an_unknown_size_is_named():
    with pytest.raises(InputError, match="train_ar_huge.yaml: cannot be read"):
        benchmark.main(["decode", "--size=huge"])


def test_an_utterance_cannot_end_by_itself():
    given = utterance(5, 4, 7)
    assert given.limits.min_frames == given.limits.max_frames == 7


def test_the_codec_of_the_benchmark_codes_speech():
    codec = speech_codec(CONF / "codec" / "world.yaml")
    codes = codec.encode(voice(0.5, codec.sample_rate, seed=1))
    assert codes.shape == (25, codec.num_codebooks)
    assert len(np.unique(codes[:, 0])) > 5
    assert np.abs(codec.decode(codes)).max() > 0.01
