import zipfile
from pathlib import Path

import pytest
import yaml

from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo.load import unpack
from espnet2_valle.zoo.pack import pack


@pytest.fixture
def run(tmp_path):
    """Files of a run, with a codec whose model lies elsewhere."""
    for name in ("ar", "nar", "codec", "far"):
        (tmp_path / name).mkdir()
    for kind in ("ar", "nar"):
        (tmp_path / kind / "config.yaml").write_text(f"valle: {kind}\n")
        (tmp_path / kind / "1epoch.pth").write_text(kind)
        (tmp_path / kind / "ave.pth").symlink_to("1epoch.pth")
    (tmp_path / "far" / "weights.th").write_text("codec")
    (tmp_path / "codec" / "codec.yaml").write_text(
        yaml.safe_dump({"type": "encodec", "model": str(tmp_path / "far" / "weights.th")})
    )
    (tmp_path / "RESULTS.md").write_text("# Results\n")
    return tmp_path


def pack_run(run, output):
    pack(
        files={"ar_model_file": run / "ar" / "ave.pth", "nar_model_file": run / "nar" / "ave.pth"},
        yaml_files={
            "ar_train_config": run / "ar" / "config.yaml",
            "nar_train_config": run / "nar" / "config.yaml",
            "codec_config": run / "codec" / "codec.yaml",
        },
        extra=[run / "RESULTS.md"],
        output=output,
    )


def test_a_pack_carries_everything_under_plain_names(run):
    pack_run(run, run / "model.zip")
    assert set(zipfile.ZipFile(run / "model.zip").namelist()) == {
        "meta.yaml",
        "ar/config.yaml",
        "ar/ave.pth",
        "nar/config.yaml",
        "nar/ave.pth",
        "codec/codec.yaml",
        "codec/weights.th",
        "RESULTS.md",
    }


def test_unpacking_gives_the_arguments_back(run):
    pack_run(run, run / "model.zip")
    opened = unpack(run / "model.zip", run / "cache")
    assert Path(opened["ar_model_file"]).read_text() == "ar"  # the link's target, not the link
    codec = yaml.safe_load(Path(opened["codec_config"]).read_text())
    assert codec["model"] == "weights.th"  # beside codec.yaml now
    assert unpack(run / "model.zip", run / "cache") == opened


def test_a_codec_without_a_model_file_is_packed_too(run):
    (run / "codec" / "codec.yaml").write_text("type: encodec\nmodel: null\n")
    pack_run(run, run / "model.zip")
    assert "codec/weights.th" not in zipfile.ZipFile(run / "model.zip").namelist()


@pytest.mark.parametrize("lost", ["nar/config.yaml", "ar/1epoch.pth", "far/weights.th", "RESULTS.md"])
def test_a_lost_file_is_named_and_nothing_is_left(run, lost):
    (run / lost).unlink()
    with pytest.raises(InputError, match="is not there|but is not there"):
        pack_run(run, run / "model.zip")
    assert not list(run.glob("*model*"))
