"""Uploads to the hub and models from it, against a stand-in of its HTTP API."""

import re
import time
import zipfile
from pathlib import Path
from threading import Event

import pytest
import yaml
from hub_stand_in import REPOSITORY, hub_stand_in
from huggingface_hub import constants
from packed_samples import pack_sample

from espnet2_valle.bin.upload import main
from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo import hub as zoo_hub
from espnet2_valle.zoo.hub import upload
from espnet2_valle.zoo.load import unpack

AGAIN = r"Run the same command, or stage 11 \(--stage 11 --skip_upload_hf false --hf_repo lab/valle\), again"


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.01)))
    with hub_stand_in(monkeypatch) as hub:
        yield hub


@pytest.fixture
def model(tmp_path):
    return pack_sample(tmp_path / "run", tmp_path / "model.zip", card="---\ntags: [tts]\n---\n# A model\n")


def content(archive):
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_what_is_uploaded_is_what_others_open(hub, model, tmp_path):
    revision = upload(model, REPOSITORY)
    uploaded = {name: data for name, data in hub.files().items() if name != ".gitattributes"}
    assert uploaded == content(model)
    for tag in (REPOSITORY, f"{REPOSITORY}@{revision}"):
        opened = unpack(tag, tmp_path / "cache")
        direct = unpack(model, tmp_path / "direct")
        assert opened.keys() == direct.keys()
        for name in ("ar_model_file", "nar_model_file", "codec_config"):
            assert Path(opened[name]).read_bytes() == Path(direct[name]).read_bytes()


def test_the_command_prints_the_line_that_others_need(hub, model, capsys):
    main([f"--model_tag={model}", f"--hf_repo={REPOSITORY}"])
    printed = capsys.readouterr().out
    revision = re.search(f'"{REPOSITORY}@([0-9a-f]{{40}})"', printed)[1]
    assert f'Text2Speech.from_pretrained("{REPOSITORY}")' in printed
    assert upload(model, REPOSITORY) == revision


def test_an_upload_that_is_done_sends_nothing_again(hub, model):
    first = upload(model, REPOSITORY)
    before = len(hub.asked("PUT"))
    assert before
    assert upload(model, REPOSITORY) == first
    assert len(hub.asked("PUT")) == before
    assert len(hub.repositories[REPOSITORY]) == 2


def test_an_upload_needs_somebody_who_is_logged_in(hub, model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(InputError, match="nobody is logged in .*Run `hf auth login`, or set HF_TOKEN"):
        upload(model, REPOSITORY)
    assert not hub.log


def test_a_token_without_the_right_is_told(hub, model, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(InputError, match="lab/valle: the hub refuses the upload .*hf auth login"):
        upload(model, REPOSITORY)


@pytest.mark.parametrize("path", ["/api/repos/create", "/batch", "/storage/", "/commit/", "/preupload/"])
@pytest.mark.parametrize("status", [500, 400])
def test_a_hub_that_fails_says_how_to_go_on(hub, model, path, status):
    def broken(handler):
        if path not in handler.route:
            return False
        handler.body()
        handler.answer(status, {"error": "the disk is full"})
        return True

    hub.broken = broken
    with pytest.raises(InputError, match=f"the upload broke off .*{AGAIN}"):
        upload(model, REPOSITORY)
    hub.broken = lambda handler: False
    upload(model, REPOSITORY)
    assert set(content(model)) <= set(hub.files())


def test_an_upload_that_breaks_half_way_goes_on(hub, model):
    """The second large file does not arrive; the first is not sent again."""

    def broken(handler):
        if not handler.route.startswith("/storage/") or handler.route in hub.asked("/storage/")[0]:
            return False
        handler.rfile.read(100)
        handler.hang_up()
        return True

    hub.broken = broken
    with pytest.raises(InputError, match=f"the upload broke off .*{AGAIN}"):
        upload(model, REPOSITORY)
    [arrived] = hub.blobs
    assert list(hub.files()) == [".gitattributes"]  # half a model is never shown
    hub.broken, hub.log = lambda handler: False, []
    upload(model, REPOSITORY)
    assert not hub.asked(f"/storage/{arrived}")
    assert hub.asked("/storage/")
    assert set(content(model)) <= set(hub.files())


def test_a_short_break_is_overcome(hub, model):
    def broken(handler):
        if not handler.route.startswith("/storage/") or len(hub.asked("/storage/")) > 3:
            return False
        handler.hang_up()
        return True

    hub.broken = broken
    upload(model, REPOSITORY)
    assert set(content(model)) <= set(hub.files())


def test_a_slow_hub_is_waited_for(hub, model):
    hub.rate = 100_000
    upload(model, REPOSITORY)
    assert set(content(model)) <= set(hub.files())


def test_a_hub_that_falls_silent_is_given_up(hub, model, monkeypatch):
    monkeypatch.setattr(zoo_hub, "PATIENCE", 0.2)
    over = Event()

    def broken(handler):
        if "/commit/" not in handler.route:
            return False
        handler.body()
        over.wait(60)
        handler.hang_up()
        return True

    hub.broken = broken
    with pytest.raises(InputError, match=f"the upload broke off .*{AGAIN}"):
        upload(model, REPOSITORY)
    over.set()


def test_a_zip_that_is_none_is_not_uploaded(hub, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("secret", "x")
    with pytest.raises(InputError, match="lacks its file 'meta.yaml'"):
        upload(tmp_path / "other.zip", REPOSITORY)
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match="text.zip: is not a packed model"):
        upload(tmp_path / "text.zip", REPOSITORY)
    assert not hub.log


def test_a_download_that_breaks_goes_on(hub, model, tmp_path):
    upload(model, REPOSITORY)
    name = "/nar/model.safetensors"

    def broken(handler):
        if handler.command != "GET" or not handler.route.endswith(name):
            return False
        handler.answer(503)
        return True

    hub.broken = broken
    with pytest.raises(InputError, match="lab/valle: cannot be fetched"):
        unpack(REPOSITORY, tmp_path / "cache")
    hub.broken, hub.log = lambda handler: False, []
    assert unpack(REPOSITORY, tmp_path / "cache")
    fetched = {line.rsplit("/", 2)[-2] for line in hub.asked("GET") if "/resolve/" in line}
    assert "nar" in fetched
    assert "codec" not in fetched


def test_a_model_that_was_fetched_opens_without_the_hub(hub, model, tmp_path, monkeypatch):
    upload(model, REPOSITORY)
    opened = unpack(REPOSITORY, tmp_path / "cache")

    closed = "http://127.0.0.1:1"  # where nobody listens
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    template = closed + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert unpack(REPOSITORY, tmp_path / "cache") == opened


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("lab/none", "lab/none: cannot be fetched"),
        (f"{REPOSITORY}@{'0' * 40}", "cannot be fetched"),
        ("no name of anything", "cannot be fetched"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub, model, tmp_path, tag, message):
    upload(model, REPOSITORY)
    with pytest.raises(InputError, match=message):
        unpack(tag, tmp_path / "cache")


def test_a_repository_without_a_model_is_named(hub, tmp_path):
    hub.commit(REPOSITORY, {"README.md": b"text"})
    with pytest.raises(InputError, match=r"lab/valle: is not a packed model \(it has no meta.yaml\)"):
        unpack(REPOSITORY, tmp_path / "cache")


@pytest.mark.parametrize("name", ["../../codec.yaml", "/etc/passwd"])
def test_a_repository_cannot_name_files_of_this_machine(hub, tmp_path, name):
    meta = {"files": {}, "yaml_files": {"codec_config": name}}
    hub.commit(REPOSITORY, {"meta.yaml": yaml.safe_dump(meta).encode()})
    with pytest.raises(InputError, match=f"lab/valle: names the file '{name}', which lies outside"):
        unpack(REPOSITORY, tmp_path / "cache")


def test_a_file_that_is_not_what_was_packed_is_refused(hub, model, tmp_path):
    upload(model, REPOSITORY)
    changed = bytearray(hub.files()["ar/model.safetensors"])
    changed[-1] ^= 1
    hub.commit(REPOSITORY, {"ar/model.safetensors": bytes(changed)})
    with pytest.raises(InputError, match=r"its 'ar/model.safetensors' is not what was packed"):
        unpack(REPOSITORY, tmp_path / "cache")


def test_only_the_model_is_fetched(hub, model, tmp_path):
    upload(model, REPOSITORY)
    hub.commit(REPOSITORY, {"film.zip": b"large"})
    unpack(REPOSITORY, tmp_path / "cache")
    assert not hub.asked("film.zip")
