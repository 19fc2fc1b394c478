import json

import pytest
import yaml
from codec_samples import OPTIONS, RATE, vowel

from espnet2_valle.bench import codec as benchmark_codec
from espnet2_valle.bench.codec import SYSTEMS
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


def test_the_table(tmp_path, capsys):
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(OPTIONS))
    benchmark_codec.main(
        ["--config", str(tmp_path / "world.yaml"), "--fit_dir", corpus(tmp_path / "voices", 6, 90)]
        + ["--hold_out", "1", "--test_dir", corpus(tmp_path / "others", 1, 150)]
        + ["--model", str(tmp_path / "codec.npz"), "--json", str(tmp_path / "table.json")]
    )
    written = json.loads((tmp_path / "table.json").read_text())
    table, differences = written["means"], written["dnsmos_less_world"]
    assert list(table) == ["voices (held out)", "others"]
    for rows in table.values():
        assert rows["original"][0] == pytest.approx(1, abs=1e-5)
        assert set(rows) == set(SYSTEMS)
        assert 0.5 < rows["codec"][0] < 1  # of a buzz, so the order of near values means nothing
        for shift in ("+12", "-12"):
            assert rows[f"codec {shift} dB"][0] == pytest.approx(rows["codec"][0], abs=0.05)
            assert rows[f"codec {shift} dB"][1] == pytest.approx(rows["codec"][1], abs=0.2)
        assert all(1 <= quality <= 5 for _, quality in rows.values())
    for name, rows in table.items():
        assert set(differences[name]) == set(SYSTEMS) - {"WORLD"}
        for system, figure in differences[name].items():
            assert figure["value"] == pytest.approx(rows[system][1] - rows["WORLD"][1], abs=1e-6)
    printed = capsys.readouterr().out
    assert f"{table['others']['codec'][0]:.3f} | {table['others']['codec'][1]:.2f}" in printed
    low, high = differences["others"]["codec"]["low"], differences["others"]["codec"]["high"]
    assert f"({low:+.2f} to {high:+.2f})" in printed
    assert (tmp_path / "codec.npz").is_file()


def test_differences_are_of_the_same_utterances():
    rows = [dict.fromkeys(SYSTEMS, (0.9, dnsmos)) for dnsmos in (1.0, 2.0, 4.0)]
    rows = [{**row, "codec": (0.9, row["WORLD"][1] - 0.1)} for row in rows]
    figure = benchmark_codec.dnsmos_differences(rows)["codec"]
    assert [figure[key] for key in ("value", "low", "high")] == pytest.approx([-0.1] * 3)
    assert "| codec | -0.10 (-0.10 to -0.10) |" in benchmark_codec.render_differences(
        {"others": benchmark_codec.dnsmos_differences(rows)}
    )


def test_held_out_speakers_are_not_fitted_on(tmp_path):
    folder = corpus(tmp_path / "voices", 6, 90)
    args = benchmark_codec.get_parser().parse_args(["--fit_dir", folder, "--hold_out", "2"])
    fit, tests = benchmark_codec.choose_sets(args)
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
