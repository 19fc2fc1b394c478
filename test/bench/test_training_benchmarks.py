"""The benchmarks of index and training run at a small size and report every figure."""

import json

import pytest
import yaml

from espnet2_valle.bin import benchmark


def figures(path):
    return {row["figure"]: row["value"] for row in map(json.loads, path.read_text().splitlines())}


@pytest.mark.parametrize("join", [0, 20])
def test_index(tmp_path, join):
    options = ["--num_utterances=2000", "--num_speakers=3", "--batch_bins=20000", f"--join_seconds={join}"]
    benchmark.main(["index", *options, "--num_batches=5", f"--json={tmp_path}/figures"])
    measured = figures(tmp_path / "figures")
    names = {"made", "opened", "pass_planned", "first_batch", "private_memory", "utterances_read", "padding"}
    assert set(measured) == {f"index_{name}" for name in names}
    assert 0 <= measured["index_padding"] < 0.2
    assert measured["index_pass_planned"] < measured["index_first_batch"]


def test_train(tmp_path):
    sizes = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 32}
    for valle in ("ar", "nar"):
        (tmp_path / f"train_{valle}_tiny.yaml").write_text(
            yaml.safe_dump({"valle": valle, "valle_conf": sizes, "optim_conf": {"lr": 0.001}})
        )
    configs = [f"{tmp_path}/train_{valle}_tiny.yaml" for valle in ("ar", "nar")]
    options = ["--steps=1", "--warm_up=0", "--batch_bins=2000", "--dtype", "bfloat16"]
    benchmark.main(["train", "--config", *configs, *options, f"--json={tmp_path}/figures"])
    measured = figures(tmp_path / "figures")
    for valle in ("ar", "nar"):
        assert 0 < measured[f"train_{valle}_tiny_share_of_matmul"]
        assert 0 <= measured[f"train_{valle}_tiny_padding"] < 0.1
