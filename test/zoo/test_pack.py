import multiprocessing
import zipfile
from pathlib import Path

import pytest
import yaml
from espnet_model_zoo import downloader
from packed_samples import pack_run, write_run
from safetensors.torch import load_file

from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo import load
from espnet2_valle.zoo.load import unpack


@pytest.fixture
def run(tmp_path):
    """Files of a run, with a codec whose model lies elsewhere."""
    return write_run(tmp_path)


def weights(path):
    """Number that the sample's weights are filled with."""
    return int(load_file(path)["weight"][0, 0])


def test_a_pack_carries_everything_under_plain_names(run):
    pack_run(run, run / "model.zip")
    assert set(zipfile.ZipFile(run / "model.zip").namelist()) == {
        "meta.yaml",
        "ar/config.yaml",
        "ar/model.safetensors",
        "nar/config.yaml",
        "nar/model.safetensors",
        "codec/codec.yaml",
        "codec/codec.npz",
        "RESULTS.md",
        "SHA256SUMS",
    }


def test_unpacking_gives_the_arguments_back(run):
    pack_run(run, run / "model.zip")
    opened = unpack(run / "model.zip", run / "cache")
    assert weights(opened["ar_model_file"]) == 1  # the link's target, not the link
    codec = yaml.safe_load(Path(opened["codec_config"]).read_text())
    assert codec["model"] == "codec.npz"  # beside codec.yaml now
    assert unpack(run / "model.zip", run / "cache") == opened


def test_a_codec_without_a_model_file_is_packed_too(run):
    (run / "codec" / "codec.yaml").write_text("type: encodec\nmodel: null\n")
    pack_run(run, run / "model.zip")
    assert "codec/codec.npz" not in zipfile.ZipFile(run / "model.zip").namelist()


def test_a_bpe_model_is_found_from_anywhere(run, monkeypatch):
    monkeypatch.chdir(run)
    for kind in ("ar", "nar"):
        (run / kind / "config.yaml").write_text("token_type: bpe\nbpemodel: far/bpe.model\n")
    with pytest.raises(InputError, match="far/bpe.model: is named by .*ar/config.yaml but is not there"):
        pack_run(run, run / "model.zip")
    (run / "far" / "bpe.model").write_text("pieces")
    pack_run(run, run / "model.zip")
    (run / "far" / "bpe.model").unlink()
    monkeypatch.chdir("/")
    opened = unpack(run / "model.zip", run / "cache")
    for kind in ("ar", "nar"):
        config = yaml.safe_load(Path(opened[f"{kind}_train_config"]).read_text())
        assert config["token_type"] == "bpe"
        assert Path(config["bpemodel"]).read_text() == "pieces"


@pytest.mark.parametrize("lost", ["nar/config.yaml", "ar/1epoch.pth", "far/codec.npz", "RESULTS.md"])
def test_a_lost_file_is_named_and_nothing_is_left(run, lost):
    (run / lost).unlink()
    with pytest.raises(InputError, match="is not there|but is not there"):
        pack_run(run, run / "model.zip")
    assert not list(run.glob("*model*"))


def states(folder):
    """Path -> what changes when the file is written again."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_a_second_unpacking_writes_nothing(run):
    pack_run(run, run / "model.zip")
    unpack(run / "model.zip", run / "cache")
    before = states(run / "cache")
    unpack(run / "model.zip", run / "cache")
    assert states(run / "cache") == before


def test_the_files_of_a_faster_process_stay(run, monkeypatch):
    pack_run(run, run / "model.zip")
    extract, seen = load._extract, {}

    def overtaken(*given):
        extract(*given)
        monkeypatch.setattr(load, "_extract", extract)
        seen["opened"] = unpack(run / "model.zip", run / "cache")
        seen["states"] = states(run / "cache") | {"unfinished": None}

    monkeypatch.setattr(load, "_extract", overtaken)
    opened = unpack(run / "model.zip", run / "cache")
    assert opened == seen["opened"]
    left = states(run / "cache")
    assert left.items() <= seen["states"].items()
    assert {Path(path).parts[len(run.parts) + 1] for path in left} == {
        Path(opened["ar_model_file"]).parts[-3]
    }


def test_what_a_killed_unpacking_left_is_removed(run, monkeypatch):
    pack_run(run, run / "model.zip")

    def killed(folder, **options):
        monkeypatch.undo()

    monkeypatch.setattr(load.shutil, "rmtree", killed)
    monkeypatch.setattr(Path, "rename", lambda path, target: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        unpack(run / "model.zip", run / "cache")
    [left] = (run / "cache").iterdir()
    opened = unpack(run / "model.zip", run / "cache")
    assert not left.exists()
    assert weights(opened["ar_model_file"]) == 1


def _unpack_and_read(archive, cache, barrier, texts):
    barrier.wait()
    opened = unpack(archive, cache)
    texts.put({name: Path(path).read_bytes() for name, path in opened.items()})


def test_processes_may_unpack_at_once(run):
    pack_run(run, run / "model.zip")
    context = multiprocessing.get_context("fork")
    barrier, texts = context.Barrier(4), context.Queue()
    given = (run / "model.zip", run / "cache", barrier, texts)
    processes = [context.Process(target=_unpack_and_read, args=given) for _ in range(4)]
    for process in processes:
        process.start()
    read = [texts.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert read == [read[0]] * 4
    assert weights(unpack(*given[:2])["nar_model_file"]) == 2
    assert len(list((run / "cache").iterdir())) == 1


def test_paths_in_yaml_are_those_of_the_unpacked_files(run, monkeypatch):
    (run / "nar" / "config.yaml").write_text("stats: [ar/model.safetensors]\nname: model.safetensors\n")
    pack_run(run, run / "model.zip")
    monkeypatch.chdir(run)
    opened = unpack("model.zip", "cache")
    config = yaml.safe_load(Path(opened["nar_train_config"]).read_text())
    assert config == {"stats": [opened["ar_model_file"]], "name": "model.safetensors"}
    assert Path(opened["ar_model_file"]).is_absolute()


def test_a_file_that_is_gone_is_named_with_what_to_do(run):
    pack_run(run, run / "model.zip")
    opened = unpack(run / "model.zip", run / "cache")
    Path(opened["codec_config"]).unlink()
    with pytest.raises(InputError, match=f"{opened['codec_config']}: .*is gone. Remove "):
        unpack(run / "model.zip", run / "cache")


def write_zip(path, entries, **meta):
    """A packed model as someone with other intentions may write it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.yaml", yaml.safe_dump({"files": {}, "yaml_files": {}, **meta}))
        for name, text in entries.items():
            archive.writestr(name, text)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("outside", ["{folder}/profile", "../../profile", "ar/../../../profile"])
def test_a_model_cannot_write_outside_of_its_folder(tmp_path, outside, listed):
    name = outside.format(folder=tmp_path)
    write_zip(
        tmp_path / "model.zip", {name: "evil: true"}, yaml_files={"codec_config": name} if listed else {}
    )
    (tmp_path / "profile").write_text("mine")
    with pytest.raises(InputError, match=f"model.zip: names the file '{name}', which lies outside"):
        unpack(tmp_path / "model.zip", tmp_path / "cache" / "models")
    assert (tmp_path / "profile").read_text() == "mine"
    assert not list(tmp_path.glob("cache/models/*"))


@pytest.mark.parametrize("outside", ["/etc/passwd", "../../secret"])
@pytest.mark.parametrize("group", ["files", "yaml_files"])
def test_a_model_cannot_name_files_that_it_does_not_bring(tmp_path, outside, group):
    write_zip(tmp_path / "model.zip", {}, **{group: {"codec_config": outside}})
    with pytest.raises(InputError, match=f"names the file '{outside}', which lies outside"):
        unpack(tmp_path / "model.zip", tmp_path / "cache")


@pytest.mark.parametrize(
    ("entries", "meta", "message"),
    [
        ({}, {"files": {"ar_model_file": "ar.pth"}}, "lacks its file 'ar.pth'"),
        ({}, {"files": ["ar.pth"]}, "does not say which files"),
        ({}, {"files": {"ar_model_file": 1}}, "does not say which files"),
        ({"c.yaml": "[1"}, {"yaml_files": {"codec_config": "c.yaml"}}, "its 'c.yaml' is not plain YAML"),
    ],
)
def test_zips_of_other_content_are_named(tmp_path, entries, meta, message):
    write_zip(tmp_path / "model.zip", entries, **meta)
    with pytest.raises(InputError, match=message):
        unpack(tmp_path / "model.zip", tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


class Zoo:
    """Stands for espnet_model_zoo: `URLS` tells where names lead, `found` what is downloaded from there."""

    urls: dict[str, str] = {}
    found: Path

    def __init__(self, cachedir):
        self.cachedir = Path(cachedir)

    def get_url(self, name):
        return self.urls.get(name, "huggingface.co")

    def download(self, name):
        return str(self.found)


@pytest.fixture
def zoo(monkeypatch, tmp_path):
    monkeypatch.setattr(downloader, "ModelDownloader", Zoo)
    monkeypatch.setattr(Zoo, "urls", {"https://zoo/model.zip": "https://zoo/model.zip"})
    monkeypatch.setattr(Zoo, "found", tmp_path / "model.zip", raising=False)
    return Zoo


def test_a_downloaded_zip_is_checked_and_unpacked_likewise(run, zoo):
    pack_run(run, zoo.found)
    assert weights(unpack("https://zoo/model.zip", run / "cache")["ar_model_file"]) == 1
    write_zip(zoo.found, {"../x": ""})
    with pytest.raises(InputError, match="outside of the model's folder"):
        unpack("https://zoo/model.zip", run / "cache")
