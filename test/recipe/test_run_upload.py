"""Stage 11 of run.sh against a stand-in of the hub."""

import os
import subprocess

import pytest
from hub_stand_in import REPOSITORY, TOKEN, hub_stand_in
from miniature import RUN
from packed_samples import pack_sample

pytestmark = pytest.mark.recipe


@pytest.fixture
def hub(monkeypatch):
    with hub_stand_in(monkeypatch) as hub:
        yield hub


@pytest.fixture
def upload(hub, tmp_path):
    """Run stage 11 on a packed model; `more` goes to the environment."""
    exp = tmp_path / "exp" / "mini"
    pack_sample(exp / "run", exp / "model.zip", card="# A model\n")
    (exp / ".done_pack").touch()

    def run(**more):
        words = ["--stage", "11", "--skip_upload_hf", "false", "--hf_repo", REPOSITORY]
        folders = [
            word for kind in ("data", "dump", "exp") for word in (f"--{kind}dir", f"{tmp_path}/{kind}")
        ]
        hub_of = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": f"{tmp_path}/hf"}
        environment = {**os.environ, **hub_of, "HF_TOKEN": TOKEN, **more}
        return subprocess.run(
            [RUN, *words, *folders],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def test_a_packed_model_is_uploaded_and_the_line_for_others_printed(hub, upload):
    done = upload()
    assert done.returncode == 0, done.stdout
    assert f'Text2Speech.from_pretrained("{REPOSITORY}")' in done.stdout
    assert {"meta.yaml", "README.md", "SHA256SUMS", "ar/model.safetensors"} <= set(hub.files())


def test_an_upload_that_fails_names_the_way_on_and_another_run_goes_on(hub, upload):
    def broken(handler):
        if "/commit/" not in handler.route:
            return False
        handler.body()
        handler.answer(400, {"error": "the disk is full"})
        return True

    hub.broken = broken
    failed = upload()
    assert failed.returncode != 0
    assert f"--stage 11 --skip_upload_hf false --hf_repo {REPOSITORY}" in failed.stdout
    assert "Traceback" not in failed.stdout
    hub.broken, hub.log = lambda handler: False, []
    done = upload()
    assert done.returncode == 0, done.stdout
    assert not hub.asked("PUT")  # all had arrived


def test_who_is_not_logged_in_is_told_before_the_first_stage(hub, upload):
    refused = upload(HF_TOKEN="")
    assert refused.returncode != 0
    assert "nobody is logged in" in refused.stdout
    assert not hub.log
