"""Packed models made with other intentions, or by a broken disk: all are refused, and none is run."""

import hashlib
import io
import os
import pickle
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet2_valle.bin import pack as pack_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.text.bpe import train_bpe

from .conftest import write_model

AR, NAR, CODEC = "ar/model.safetensors", "nar/model.safetensors", "codec/codec.npz"


class Code:
    """A pickle of this makes a file where it is loaded."""

    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache of the test's own, and what hostile code would make."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path
    assert not (tmp_path / "made").exists()
    assert not list((tmp_path / "cache").rglob("*unfinished*"))


@pytest.fixture(scope="module")
def packed(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("packed") / "model.zip"
    pack_command.main([*[f"--{name}={path}" for name, path in files.items()], f"--output={output}"])
    return output


def content(archive):
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def rezip(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def changed(packed, path, unsigned=True, **changes):
    """A copy with other files in it, name -> content; without its checksums unless they are to stay."""
    entries = content(packed)
    if unsigned:
        del entries["SHA256SUMS"]
    return rezip(path, {**entries, **changes})


def with_yaml(packed, path, name, edit):
    """A copy of which one YAML file is edited."""
    found = yaml.safe_load(content(packed)[name])
    edit(found)
    return changed(packed, path, **{name: yaml.safe_dump(found).encode()})


def legacy(packed, path, weights):
    """A copy with weights as earlier versions packed them, by `torch.save`."""
    entries = content(packed)
    del entries["SHA256SUMS"], entries[AR]
    meta = yaml.safe_load(entries["meta.yaml"])
    meta["files"]["ar_model_file"] = "ar/model.pth"
    entries |= {"meta.yaml": yaml.safe_dump(meta).encode(), "ar/model.pth": weights}
    return rezip(path, entries)


def refused(path, message):
    with pytest.raises(InputError, match=message):
        Text2Speech.from_pretrained(path)


def test_the_honest_one_opens(packed, files):
    opened, direct = Text2Speech.from_pretrained(packed), Text2Speech.from_files(**files)
    for name, value in direct.ar.state_dict().items():
        assert torch.equal(opened.ar.state_dict()[name], value)


def test_weights_of_earlier_versions_open(packed, files, home):
    old = legacy(packed, home / "old.zip", Path(files["ar_model_file"]).read_bytes())
    assert Text2Speech.from_pretrained(old).ar.state_dict()


@pytest.mark.parametrize("name", ["../../made", "ar/../../../made"])
def test_a_traversal(packed, home, name):
    refused(changed(packed, home / "m.zip", **{name: b"x"}), f"names the file '{name}', which lies outside")


def test_an_absolute_path(packed, home):
    refused(changed(packed, home / "m.zip", **{f"{home}/made": b"x"}), "made', which lies outside")


def test_a_symbolic_link_in_a_zip(packed, home):
    link = zipfile.ZipInfo("codec/codec.npz")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    entries = content(packed)
    del entries[CODEC]
    path = rezip(home / "m.zip", entries)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "its 'codec/codec.npz' is a link or a device")


@pytest.mark.parametrize("whole", [True, False])
def test_a_symbolic_link_in_a_folder(packed, home, whole):
    folder = home / "model"
    zipfile.ZipFile(packed).extractall(folder)
    assert Text2Speech.from_pretrained(folder).fs == 24000
    linked = folder / "codec" if whole else folder / CODEC
    shutil.move(linked, home / "elsewhere")
    linked.symlink_to(home / "elsewhere")
    refused(folder, "is a link to .*elsewhere")


def test_a_zip_bomb(packed, home):
    entries = content(packed) | {"RESULTS.md": bytes(200 * 2**20)}
    refused(rezip(home / "m.zip", entries, zipfile.ZIP_DEFLATED), "MB and unpacks to 210 MB")
    assert not list((home / "cache").rglob("RESULTS.md"))


def test_a_zip_bomb_within(packed, home):
    """Files of NumPy and torch are zips themselves."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("codebooks.npy", bytes(100 * 2**20))
    path = changed(packed, home / "m.zip", **{CODEC: inner.getvalue()})
    refused(path, "codec/codec.npz: has 0.1 MB and unpacks to 105 MB")


def test_aliases_without_end(packed, home):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    config = content(packed)["ar/config.yaml"] + "\n".join(lines).encode()
    path = changed(packed, home / "m.zip", **{"ar/config.yaml": config})
    assert Text2Speech.from_pretrained(path).fs == 24000  # nobody reads them, and nothing grows


def test_a_pickle_with_code_in_the_weights(packed, home):
    weights = io.BytesIO()
    torch.save({"x": Code(home / "made")}, weights)
    refused(
        legacy(packed, home / "m.zip", weights.getvalue()), r"model\.pth: cannot be read as weights alone"
    )
    path = changed(packed, home / "n.zip", **{AR: pickle.dumps(Code(home / "made"))})
    refused(path, r"model\.safetensors: cannot be read as weights alone")


def test_a_pickle_with_code_in_the_codec(packed, home):
    path = changed(packed, home / "m.zip", **{CODEC: pickle.dumps(Code(home / "made"))})
    refused(path, r"codec\.npz: not a world codec")
    arrays = io.BytesIO()
    np.savez(arrays, options=np.array([Code(home / "made")], dtype=object))
    path = changed(packed, home / "n.zip", **{CODEC: arrays.getvalue()})
    refused(path, r"codec\.npz: not a world codec .*allow_pickle=False")


@pytest.fixture(scope="module")
def pieces(system, tmp_path_factory):
    """A packed model that reads texts by pieces."""
    folder = tmp_path_factory.mktemp("pieces")
    train_bpe(["a b", "b c a", "c a b"] * 5, folder / "bpe.model", 8)
    codec = system / "codec" / "codec.yaml"
    options = [f"--codec_config={codec}", f"--output={folder}/model.zip"]
    for kind in ("ar", "nar"):
        write_model(folder / kind, kind, codec, text=["--token_type=bpe", f"--bpemodel={folder}/bpe.model"])
        options += [f"--{kind}_train_config={folder}/{kind}/config.yaml"]
        options += [f"--{kind}_model_file={folder}/{kind}/model.pth"]
    pack_command.main(options)
    return folder / "model.zip"


def test_a_pickle_with_code_in_the_bpe_model(pieces, home):
    assert Text2Speech.from_pretrained(pieces).fs == 24000
    path = changed(pieces, home / "m.zip", **{"ar/bpe.model": pickle.dumps(Code(home / "made"))})
    refused(path, r"bpe\.model: is no sentencepiece model")


@pytest.mark.parametrize("name", ["os.system", "espnet2.tasks.tts:TTSTask", "builtins.eval"])
@pytest.mark.parametrize(("config", "key"), [("ar/config.yaml", "valle"), ("codec/codec.yaml", "type")])
def test_a_class_name_in_a_config(packed, home, config, key, name):
    path = with_yaml(packed, home / "m.zip", config, lambda found: found.update({key: name}))
    refused(path, f"there is no model '{name}'|unknown type '{name}'|was trained with")


@pytest.mark.parametrize("name", ["ar/config.yaml", "codec/codec.yaml", "meta.yaml"])
def test_an_object_in_a_config(packed, home, name):
    evil = f"\nevil: !!python/object/apply:os.mkdir ['{home}/made']\n".encode()
    path = changed(packed, home / "m.zip", **{name: content(packed)[name] + evil})
    refused(path, f"{name}' is not plain YAML|meta.yaml is not YAML")


@pytest.mark.parametrize(
    ("config", "edit"),
    [
        ("ar/config.yaml", {"token_list": "/etc/passwd"}),
        ("ar/config.yaml", {"token_type": "bpe", "bpemodel": "../../secret"}),
        ("nar/config.yaml", {"codec_config": "/etc/codec.yaml"}),
        ("codec/codec.yaml", {"options": {"train_config": "/etc/passwd"}}),
        ("codec/codec.yaml", {"model": "/etc/passwd"}),
        ("codec/codec.yaml", {"model": "../../../secret"}),
    ],
)
def test_a_file_of_this_machine_in_a_config(packed, home, config, edit):
    path = with_yaml(packed, home / "m.zip", config, lambda found: found.update(edit))
    refused(path, "which is not in it|which lies outside")


@pytest.mark.parametrize(
    "edit",
    [
        {"valle_conf": {"layers": 10**9}},
        {"valle_conf": {"layers": 1, "width": 2**40, "heads": 2, "feed_forward": 32}},
        {"valle_conf": {"layers": 1, "width": "wide"}},
        {"codec_config": {"name": "world", "num_codebooks": 10**9}},
        {"codec_config": {"module": "os"}},
        {"valle_conf": {"cls": "os.system"}},
        {"model_conf": 7},
        {"cleaner": {"os": "system"}},
    ],
    ids=str,
)
def test_a_config_of_another_shape_takes_no_memory(packed, home, edit):
    refused(with_yaml(packed, home / "m.zip", "ar/config.yaml", lambda found: found.update(edit)), ".")


@pytest.mark.parametrize("share", [0.3, 0.9, 0.9999])
def test_a_truncated_zip(packed, home, share):
    whole = packed.read_bytes()
    (home / "m.zip").write_bytes(whole[: int(len(whole) * share)])
    refused(home / "m.zip", "is not a packed model")


@pytest.mark.parametrize("name", [AR, NAR, CODEC])
def test_a_truncated_file(packed, home, name):
    whole = content(packed)[name]
    path = changed(packed, home / "m.zip", **{name: whole[: len(whole) // 2]})
    refused(path, "cannot be read as weights alone|not a world codec")


def test_a_damaged_zip(packed, home):
    """Its own CRC tells."""
    whole = bytearray(packed.read_bytes())
    place = whole.index(content(packed)[AR][-100:])
    whole[place] ^= 1
    (home / "m.zip").write_bytes(whole)
    refused(home / "m.zip", "is not a packed model .*CRC")


@pytest.mark.parametrize("name", [AR, CODEC, "ar/config.yaml"])
@pytest.mark.parametrize("folder", [False, True])
def test_a_wrong_checksum(packed, home, name, folder):
    whole = bytearray(content(packed)[name])
    whole[-2] ^= 1
    path = changed(packed, home / "m.zip", unsigned=False, **{name: bytes(whole)})
    if folder:
        zipfile.ZipFile(path).extractall(home / "model")
        path = home / "model"
    found = hashlib.sha256(whole).hexdigest()
    refused(path, f"its '{name}' is not what was packed .sha256 {found}|is not plain YAML")


def test_a_file_that_no_checksum_covers(packed, home):
    sums = content(packed)["SHA256SUMS"].decode().splitlines()
    kept = "\n".join(line for line in sums if AR not in line)
    path = changed(packed, home / "m.zip", unsigned=False, SHA256SUMS=kept.encode())
    refused(path, f"its '{AR}' is not in SHA256SUMS")


def test_two_files_of_one_name(packed, home):
    path = changed(packed, home / "m.zip")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(AR, b"another")
    refused(path, f"has two files '{AR}'")


def test_more_files_than_a_model_has(packed, home):
    path = changed(packed, home / "m.zip", **{f"x/{n}": b"" for n in range(10_001)})
    refused(path, "has 1000. files|has 1001. files")
