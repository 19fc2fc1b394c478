import hashlib
import io
import random
import shutil
import tarfile
import zipfile
from collections import namedtuple

import pytest
from archive_server import serve

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus import download
from espnet2_valle.corpus.download import Archive, fetch

SPEECH = random.Random(0).randbytes(300_000)


@pytest.fixture(autouse=True)
def _small_and_at_once(monkeypatch):
    monkeypatch.setattr(download, "WAIT", 0.0)
    monkeypatch.setattr(download, "RECEIVED", 10_000)


def tarred(members, mode="w:gz"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def archive():
    content = tarred({"Corpus/a.wav": SPEECH})
    with serve({"/c.tar.gz": content}) as (url, files):
        yield Archive(f"{url}/c.tar.gz", f"sha256:{hashlib.sha256(content).hexdigest()}"), files


def unpacked(folder):
    return (folder / "Corpus" / "a.wav").read_bytes() == SPEECH


def test_an_archive_is_fetched_checked_and_unpacked_once(tmp_path, archive):
    wanted, files = archive
    fetch([wanted], tmp_path)
    assert unpacked(tmp_path)
    assert not (tmp_path / "c.tar.gz").exists()
    assert not list(tmp_path.glob("*.part*"))
    fetch([wanted], tmp_path)
    assert files.asked == [("/c.tar.gz", None)]


def test_a_broken_transfer_is_taken_up_where_it_was(tmp_path, archive):
    wanted, files = archive
    files.cuts = [100_000, 50_000]
    fetch([wanted], tmp_path)
    assert unpacked(tmp_path)
    assert files.asked == [("/c.tar.gz", given) for given in (None, "bytes=100000-", "bytes=150000-")]


def test_what_an_earlier_run_fetched_counts(tmp_path, archive):
    wanted, files = archive
    (tmp_path / "c.tar.gz.part").write_bytes(files.contents["/c.tar.gz"][:200_000])
    fetch([wanted], tmp_path)
    assert unpacked(tmp_path)
    assert files.asked == [("/c.tar.gz", "bytes=200000-")]


def test_a_transfer_that_was_whole_already_is_not_done_again(tmp_path, archive):
    wanted, files = archive
    (tmp_path / "c.tar.gz.part").write_bytes(files.contents["/c.tar.gz"])
    fetch([wanted], tmp_path)
    assert unpacked(tmp_path)


def test_another_version_of_the_file_is_fetched_from_its_start(tmp_path, archive):
    wanted, files = archive
    (tmp_path / "c.tar.gz.part").write_bytes(b"of the former version")
    (tmp_path / "c.tar.gz.part.etag").write_text('"0"')
    fetch([wanted], tmp_path)
    assert unpacked(tmp_path)


def test_a_server_without_ranges_is_asked_for_all_of_it(tmp_path, archive):
    wanted, files = archive
    files.ranges = False
    files.cuts = [100_000]
    fetch([wanted], tmp_path)
    assert unpacked(tmp_path)


def test_a_wrong_checksum_is_told_and_the_file_put_aside(tmp_path, archive):
    wanted, files = archive
    files.contents["/c.tar.gz"] = tarred({"Corpus/a.wav": b"not it"})
    with pytest.raises(InputError, match=r"c.tar.gz: has sha256:\w+, and published is sha256:\w+"):
        fetch([wanted], tmp_path)
    assert not (tmp_path / "Corpus").exists()
    assert (tmp_path / "c.tar.gz.bad").exists()
    files.contents["/c.tar.gz"] = tarred({"Corpus/a.wav": SPEECH})
    with pytest.raises(InputError, match="published"):  # gzip's time stamp makes these other bytes
        fetch([Archive(wanted.url, "md5:0")], tmp_path)


def test_without_a_published_checksum_the_first_download_is_the_measure(tmp_path, archive):
    wanted, files = archive
    fetch([Archive(wanted.url)], tmp_path)
    assert (tmp_path / "archives").read_text() == f"c.tar.gz {wanted.checksum}\n"
    (tmp_path / ".c.tar.gz.done").unlink()
    fetch([Archive(wanted.url)], tmp_path)
    (tmp_path / ".c.tar.gz.done").unlink()
    files.contents["/c.tar.gz"] = tarred({"Corpus/a.wav": b"not it"})
    with pytest.raises(InputError, match="and recorded in .*archives is sha256:"):
        fetch([Archive(wanted.url)], tmp_path)


def test_an_archive_that_lies_there_is_checked_and_unpacked_without_the_net(tmp_path, archive):
    wanted, files = archive
    (tmp_path / "c.tar.gz").write_bytes(files.contents["/c.tar.gz"])
    fetch([Archive("http://nowhere.invalid/c.tar.gz", wanted.checksum)], tmp_path)
    assert unpacked(tmp_path)


def test_a_mirror_takes_the_place_of_the_address(tmp_path, archive):
    wanted, _ = archive
    mirror = wanted.url.rsplit("/", 1)[0] + "/"
    fetch([Archive("http://nowhere.invalid/deep/c.tar.gz", wanted.checksum)], tmp_path, mirror)
    assert unpacked(tmp_path)


def test_a_file_that_is_no_archive_stays_as_it_is(tmp_path):
    with serve({"/cmuarctic.data": b"( text )"}) as (url, files):
        fetch([Archive(f"{url}/cmuarctic.data")], tmp_path)
        fetch([Archive(f"{url}/cmuarctic.data")], tmp_path)
        assert (tmp_path / "cmuarctic.data").read_bytes() == b"( text )"
        assert len(files.asked) == 1


@pytest.mark.parametrize("suffix", ["tar", "tar.bz2", "tgz", "zip"])
def test_archives_of_all_kinds_are_unpacked_where_they_belong(tmp_path, suffix):
    if suffix == "zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("Corpus/a.wav", SPEECH)
        content = stream.getvalue()
    else:
        content = tarred({"Corpus/a.wav": SPEECH}, {"tar": "w", "tar.bz2": "w:bz2", "tgz": "w:gz"}[suffix])
    with serve({f"/c.{suffix}": content}) as (url, _):
        fetch([Archive(f"{url}/c.{suffix}", into="deep")], tmp_path)
    assert unpacked(tmp_path / "deep")


def test_a_cut_archive_is_told_and_not_taken_for_done(tmp_path):
    content = tarred({"Corpus/a.wav": SPEECH})[:-1000]
    message = "c.tar.gz: is a broken archive"
    with serve({"/c.tar.gz": content}) as (url, _), pytest.raises(InputError, match=message):
        fetch([Archive(f"{url}/c.tar.gz")], tmp_path)
    assert not (tmp_path / ".c.tar.gz.done").exists()


@pytest.mark.parametrize("has_filter", [True, False])
@pytest.mark.parametrize(
    "member",
    [
        {"name": "../escaped"},
        {"name": "escaped", "type": tarfile.SYMTYPE, "linkname": "../../outside"},
        {"name": "escaped", "type": tarfile.LNKTYPE, "linkname": "../outside"},
        {"name": "escaped", "type": tarfile.CHRTYPE},
    ],
)
def test_nothing_is_written_outside_of_the_folder(tmp_path, monkeypatch, member, has_filter):
    if not has_filter:  # as in Python 3.11.2
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    elif not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python has no filter for archives")
    entry = tarfile.TarInfo()
    for name, value in member.items():
        setattr(entry, name, value)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(entry)
    message = "broken archive .*escaped"
    with serve({"/c.tar": packed.getvalue()}) as (url, _), pytest.raises(InputError, match=message):
        fetch([Archive(f"{url}/c.tar")], tmp_path / "db")
    assert not (tmp_path / "escaped").exists()


def test_links_inside_are_unpacked_by_a_python_without_filter(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind, link in (
            ("c/a", tarfile.REGTYPE, ""),
            ("c/b", tarfile.SYMTYPE, "a"),
            ("c/d", tarfile.LNKTYPE, "c/a"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, link
            archive.addfile(entry)
    with serve({"/c.tar": packed.getvalue()}) as (url, _):
        fetch([Archive(f"{url}/c.tar")], tmp_path / "db")
    assert (tmp_path / "db" / "c" / "b").is_symlink()
    assert (tmp_path / "db" / "c" / "d").is_file()


def test_without_a_network_the_address_and_the_ways_out_are_told(tmp_path):
    with serve({}) as (url, _):
        pass  # and gone
    with pytest.raises(InputError, match=rf"^{url}/c.tar: cannot be reached .*--mirror URL.*--db DIR"):
        fetch([Archive(f"{url}/c.tar")], tmp_path)


def test_a_missing_file_is_told_at_once(tmp_path):
    with serve({}) as (url, files), pytest.raises(InputError, match="answers 404 Not Found"):
        fetch([Archive(f"{url}/c.tar")], tmp_path)
    assert len(files.asked) == 1


def test_too_small_a_disk_is_told_before_anything_is_written(tmp_path, archive, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1_000_000, 900_000, 100_000))
    with pytest.raises(InputError, match=r"0.0 GB are free, and http.* needs 0.0 GB"):
        fetch([archive[0]], tmp_path)
    assert not (tmp_path / "c.tar.gz.part").exists()
