import argparse

import pytest
import yaml
from codec_samples import OPTIONS, RATE, vowel

from espnet2_valle.bench import codec as benchmark_codec
from espnet2_valle.bench.codec import SYSTEMS
from espnet2_valle.codec.build import save_codec_config
from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_fit import build_features
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError

pytest.importorskip("resemblyzer", reason="resemblyzer is not installed")
pytest.importorskip("speechmos", reason="speechmos is not installed")


def corpus(folder, count, f0):
    rows = ["id|speaker|text"]
    for number in range(count):
        write_audio(folder / "wav" / f"u{number}.wav", vowel(2.0, f0 + 25 * number, seed=number), RATE)
        rows.append(f"u{number}|s{number}|")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return str(folder)


def options(*words):
    parser = argparse.ArgumentParser()
    benchmark_codec.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def other(tmp_path):
    """codec.yaml of another codec, at another rate."""
    other = {**OPTIONS, "sample_rate": 24000, "codebook_size": 16}
    analyse = build_features(WorldConfig.from_dict(other, "test")).analyse
    codec = WorldCodec.fit(other, [analyse(vowel(2.0, f0, rate=24000)) for f0 in (100, 140, 180)])
    codec.save(tmp_path / "other.npz")
    save_codec_config(tmp_path / "codec.yaml", codec, "other.npz", {})
    return str(tmp_path / "codec.yaml")


def test_every_metric_is_there(tmp_path, other):
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(OPTIONS))
    metrics = benchmark_codec.measure(
        options(
            *["--config", str(tmp_path / "world.yaml"), "--fit_dir", corpus(tmp_path / "voices", 6, 90)],
            *["--hold_out", "1", "--test_dir", corpus(tmp_path / "others", 1, 150)],
            *["--model", str(tmp_path / "codec.npz"), "--codec_config", other],
        )
    )
    by_name = {}
    for one in metrics:
        by_name[one.metric.removeprefix("codec."), one.config["corpus"], one.config["system"]] = one
    for name in ("voices (held out)", "others"):
        value = {key[::2]: one.value for key, one in by_name.items() if key[1] == name}
        assert value["similarity", "original"] == pytest.approx(1, abs=1e-5)
        assert {system for _, system in value} == {*SYSTEMS, "world, 3 x 16"}
        assert 0.5 < value["similarity", "world, 3 x 16"] < 1
        likeness, dnsmos = value["similarity", "codec"], value["dnsmos", "codec"]
        assert 0.5 < likeness < 1  # of a buzz, so the order of near values means nothing
        for shift in ("+12", "-12"):
            assert value["similarity", f"codec {shift} dB"] == pytest.approx(likeness, abs=0.05)
            assert value["dnsmos", f"codec {shift} dB"] == pytest.approx(dnsmos, abs=0.2)
        assert all(1 <= value["dnsmos", system] <= 5 for system in SYSTEMS)
        for system in set(SYSTEMS) - {"WORLD"}:
            less = value["dnsmos", system] - value["dnsmos", "WORLD"]
            assert value["dnsmos_less_world", system] == pytest.approx(less, abs=1e-6)
            config = by_name["dnsmos_less_world", name, system].config
            assert config["low"] <= value["dnsmos_less_world", system] <= config["high"]
        assert ("dnsmos_less_world", "WORLD") not in value
    assert (tmp_path / "codec.npz").is_file()


def test_differences_are_of_the_same_utterances():
    rows = [dict.fromkeys(SYSTEMS, (0.9, dnsmos)) for dnsmos in (1.0, 2.0, 4.0)]
    rows = [{**row, "codec": (0.9, row["WORLD"][1] - 0.1)} for row in rows]
    metric = benchmark_codec.dnsmos_differences(rows)["codec"]
    assert [metric[key] for key in ("value", "low", "high")] == pytest.approx([-0.1] * 3)


def test_held_out_speakers_are_not_fitted_on(tmp_path):
    folder = corpus(tmp_path / "voices", 6, 90)
    fit, tests = benchmark_codec.choose_sets(options("--fit_dir", folder, "--hold_out", "2"))
    [tested] = tests.values()
    assert len(tested) == 2
    assert len(fit) == 4
    assert not set(fit) & set(tested)


def test_a_folder_without_its_parts_is_told(tmp_path):
    with pytest.raises(InputError, match=r"metadata\.csv: no such file"):
        benchmark_codec.read_voices(str(tmp_path))
    corpus(tmp_path, 2, 100)
    (tmp_path / "wav" / "u1.wav").unlink()
    with pytest.raises(InputError, match="u1 has no sound file"):
        benchmark_codec.read_voices(str(tmp_path))
