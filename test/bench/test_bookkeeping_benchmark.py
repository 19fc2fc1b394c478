"""The benchmark of bookkeeping goes the recipe's way, at a small size."""

import json

from espnet2_valle.bench import bookkeeping
from espnet2_valle.bench.fresh import Finished
from espnet2_valle.bin import benchmark
from espnet2_valle.train.index import TrainingIndex


def test_bookkeeping(tmp_path, monkeypatch):
    """Each stage takes what the one before it wrote; here all in this process."""
    monkeypatch.setattr(bookkeeping, "SPEAKERS", 30)
    monkeypatch.setattr(bookkeeping, "TEST", 20)
    indices = []

    def here(function, stage, folder, count):
        result = function(stage, folder, count)
        if stage is bookkeeping.index_train:
            index = TrainingIndex(folder / "index")
            names = [index.utterance(number) for number in range(len(index))]
            indices.append((names, index.text(0), index.codes(0), index.speakers))
        return Finished(result, 0.0)

    monkeypatch.setattr(bookkeeping, "run_fresh", here)
    options = ["bookkeeping", "--num_utterances", "50", "100", f"--json={tmp_path}/metrics"]
    benchmark.main([*options, f"--folder={tmp_path}"])
    rows = [json.loads(line) for line in (tmp_path / "metrics").read_text().splitlines()]
    works = {"bookkeeping", *(f"bookkeeping_{name}" for name in bookkeeping.STAGES)}
    expected = {f"{name}{what}" for name in works for what in ("", "_cpu", "_memory")}
    assert {row["metric"] for row in rows} == expected | {"bookkeeping_growth"}
    assert {row["config"].get("utterances") for row in rows} == {50, 100, None}
    assert [len(names) for names, *_ in indices] == [50, 100]
    for names, text, codes, speakers in indices:
        assert names == sorted(names)
        assert len(text) > bookkeeping.WORDS_A_TEXT
        assert codes.shape == (bookkeeping.FRAMES, bookkeeping.CODEBOOKS)
        assert len(speakers) == bookkeeping.SPEAKERS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics"]
