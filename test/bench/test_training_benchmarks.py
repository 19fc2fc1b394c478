"""The benchmarks of index and training run at a small size and report every metric."""

import inspect
import json
import subprocess

import pytest
import torch
import yaml

from espnet2_valle.bench import threads
from espnet2_valle.bench.fresh import Finished
from espnet2_valle.bench.index import write_synthetic
from espnet2_valle.bench.metric import Metric
from espnet2_valle.bin import benchmark
from espnet2_valle.common import machine
from espnet2_valle.train import throughput


def metrics(path):
    return {row["metric"]: row["value"] for row in map(json.loads, path.read_text().splitlines())}


@pytest.mark.parametrize(("join", "arks"), [(0, 1), (20, 3)])
def test_index(tmp_path, join, arks):
    options = ["--num_utterances=2000", "--num_speakers=3", "--batch_bins=20000", f"--join_seconds={join}"]
    options += [
        f"--num_arks={arks}",
        "--open_arks",
        "0",
        "2",
        "--num_batches=5",
        f"--json={tmp_path}/metrics",
    ]
    benchmark.main(["index", *options])
    measured = metrics(tmp_path / "metrics")
    names = {"made", "opened", "pass_planned", "first_batch", "private_memory", "padding"}
    names |= {"utterances_read", "utterances_read_cpu", "utterances_read_cold"}
    rows = map(json.loads, (tmp_path / "metrics").read_text().splitlines())
    assert {row["config"].get("open arks") for row in rows} == {None, arks, 2}
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
    options = ["--steps=1", "--warm_up=0", "--batch_bins=2000"]  # in what this machine does fast
    benchmark.main(["train", "--config", *configs, *options, f"--json={tmp_path}/metrics"])
    measured = metrics(tmp_path / "metrics")
    for valle in ("ar", "nar"):
        assert 0 < measured[f"train_{valle}_tiny_share_of_matmul"]
        assert 0 <= measured[f"train_{valle}_tiny_padding"] < 0.1


def test_train_on_an_index_that_is_there(tmp_path):
    write_synthetic(tmp_path / "index", 50, 2)
    config = tmp_path / "train_ar_tiny.yaml"
    sizes = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 32}
    config.write_text(yaml.safe_dump({"valle": "ar", "valle_conf": sizes, "optim_conf": {"lr": 0.001}}))
    options = [
        "--steps=1",
        "--warm_up=0",
        "--batch_bins=2000",
        "--dtype",
        "float32",
        f"--index={tmp_path}/index",
    ]
    benchmark.main(["train", "--config", str(config), *options, f"--json={tmp_path}/metrics"])
    assert 0 < metrics(tmp_path / "metrics")["train_ar_tiny_step"]


def test_machine(tmp_path, capsys):
    benchmark.main(["machine", f"--json={tmp_path}/metrics"])
    said = capsys.readouterr().out
    assert f"products in training: {machine.training_type().value} (" in said
    assert f"cores: {machine.cores()}\n" in said
    assert all(rate > 0 for rate in metrics(tmp_path / "metrics").values())


def test_threads(monkeypatch, tmp_path):
    """Each setting is measured in a process of its own, beside as many busy ones as asked for."""
    measured = []

    def run(function, *given, environment):
        busy = sum(process.poll() is None for process in started)
        assert inspect.signature(function).bind(*given).arguments["index"] == str(tmp_path)
        threads, waiting = environment["OMP_NUM_THREADS"], environment["OMP_WAIT_POLICY"]
        measured.append((busy, threads, waiting, environment["GOMP_SPINCOUNT"]))
        return Finished([Metric("train_ar_mini_step", 2.0, "ms")], 1.0)

    started, popen = [], subprocess.Popen

    def start(*words, **more):
        started.append(popen(*words, **more))
        return started[-1]

    monkeypatch.setattr(threads, "run_fresh", run)
    monkeypatch.setattr(threads.subprocess, "Popen", start)
    monkeypatch.setattr(threads, "cores", lambda: 2)
    benchmark.main(["threads", "--config=conf/train_ar_mini.yaml", f"--index={tmp_path}", "--busy", "0", "1"])
    chosen = ("PASSIVE", machine.WAITING["GOMP_SPINCOUNT"])
    settings = [("1", *chosen), ("2", *chosen), ("2", "PASSIVE", "0"), ("2", "ACTIVE", "infinite")]
    assert measured == [(busy, *setting) for busy in (0, 1) for setting in settings]
    assert all(process.poll() is not None for process in started)


def test_a_slow_type_of_number_is_measured_on_small_products(monkeypatch):
    sizes = []
    monkeypatch.setattr(throughput, "_fastest_product", lambda device, dtype, size: sizes.append(size) or 1.0)
    assert throughput.matmul_rate("cpu", torch.bfloat16) == 2 * throughput.SMALL**3
    assert sizes == [throughput.SMALL]
    monkeypatch.setattr(throughput, "_fastest_product", lambda *_: throughput.SLOW_SECONDS / 2)
    large = throughput.MEASURED_SIZES["cpu"]
    assert throughput.matmul_rate("cpu", torch.float32) == 2 * large**3 / (throughput.SLOW_SECONDS / 2)
