"""The benchmark of imports."""

import argparse

from espnet2_valle.bench import startup


def test_every_kind_is_measured_in_fresh_processes(monkeypatch):
    asked, seconds = [], iter([9.0, 9.0, 9.0, 3.0, 2.0, 1.0, 4.0, 2.0, 1.0, 3.0, 2.0, 1.0])
    monkeypatch.setattr(startup, "cpu_seconds", lambda modules: (asked.append(modules), next(seconds))[1])
    metrics = {one.metric: one for one in startup.measure(argparse.Namespace(rounds=3))}
    assert asked == 4 * [startup.GENERATE, startup.MODELS, startup.TORCH]
    assert metrics["startup.generate"].value == 3.0, "the first turn is not counted"
    assert metrics["startup.generate_over_models"].value == 1.5
    assert metrics["startup.generate_over_models"].met is False


def test_a_process_tells_its_own_time():
    assert 0 < startup.cpu_seconds(("json",)) < startup.cpu_seconds(("numpy",))
