"""Packed models on the HuggingFace hub: fetched from there, and uploaded to it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import ZipFile

from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo.archive import NO_ZIP, PACK_AGAIN, ZipContents
from espnet2_valle.zoo.checksums import FILE as CHECKSUMS
from espnet2_valle.zoo.meta import META, Meta, read_meta

PATIENCE = 300.0  # seconds without a byte from the hub, after which a request has failed
REFUSED = (401, 403)  # HTTP status codes: no token, or one without the right
LIBRARY = "espnet2_valle"  # as the hub is told who asks
LOGIN_REMEDY = "Run `hf auth login`, or set HF_TOKEN to a token that may write there"


class Snapshot(NamedTuple):
    """A revision of a repository, as far as it is fetched.

    Attributes:
        folder: with its files; huggingface_hub makes them links into its cache.
        within: the repository's part of that cache.
    """

    folder: Path
    within: Path


def fetch(tag: str, cache: Path) -> Snapshot:
    """Fetch the packed model of a repository, unless it is in the cache; a transfer that broke off goes on.

    Args:
        tag: LAB/NAME, or LAB/NAME@REVISION.
        cache: folder, huggingface_hub's layout.

    Raises:
        InputError: the repository has no packed model.
        Exception: whatever huggingface_hub raises.
    """
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    _be_patient()
    repository, _, revision = tag.partition("@")
    try:
        meta = Path(
            hf_hub_download(
                repository, META, revision=revision or None, cache_dir=cache, library_name=LIBRARY
            )
        )
    except EntryNotFoundError as error:
        if getattr(error, "response", None) is None:  # the hub was not reached
            raise
        raise InputError(tag, f"is not a packed model (it has no {META})", "Correct the name") from error
    folder = meta.parent
    patterns = _patterns(read_meta(tag, meta.read_bytes()))
    # The very commit that was looked at, after which its folder is named.
    snapshot_download(
        repository, revision=folder.name, cache_dir=cache, allow_patterns=patterns, library_name=LIBRARY
    )
    return Snapshot(folder, folder.parent.parent)


def _patterns(meta: Meta) -> list[str]:
    """The files of a model, and what lies beside them: a codec's model, a BPE model."""
    folders = {str(PurePosixPath(name).parent) for name in meta.names.values()}
    return sorted({"*" if folder == "." else f"{folder}/*" for folder in folders} | {CHECKSUMS, META})


def upload(model: str | Path, repository: str) -> str:
    """Upload the files of a packed model, in one commit; what the hub has already is not sent again.

    Args:
        model: the zip.
        repository: LAB/NAME; one that is not there is made, and everybody may read it.

    Returns:
        the revision that was made.

    Raises:
        InputError: not logged in, no right to write there, or the transfer broke off; says how to go on.
    """
    from huggingface_hub import HfApi

    _be_patient()
    check_token()
    api = HfApi(library_name=LIBRARY)
    with tempfile.TemporaryDirectory() as folder:
        _take_out(Path(model), Path(folder))
        with _told(repository):
            api.create_repo(repository, exist_ok=True)
            made = api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message="Upload a packed model"
            )
    return made.oid


def _take_out(model: Path, folder: Path) -> None:
    """Write the files of a packed model into `folder`, as they are in it."""
    if not model.is_file():
        raise InputError(model, "no such packed model", "Run stage 10 first, or correct the path")
    try:
        with ZipFile(model) as opened:
            contents = ZipContents(opened, model)
            read_meta(contents.where, contents.read(META))
            for name in contents.names:
                contents.copy(name, folder / name)
    except NO_ZIP as error:
        raise InputError(model, f"is not a packed model ({error})", PACK_AGAIN) from error


def check_token() -> None:
    """Raise InputError unless this user is logged in to the hub; nothing is asked of it."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise InputError(
            "--skip_upload_hf", "false, but nobody is logged in to the HuggingFace hub", LOGIN_REMEDY
        )


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Turn what an upload fails with into InputError that says how to go on."""
    try:
        yield
    except Exception as error:  # each layer of huggingface_hub has errors of its own
        causes = list(_causes(error))
        answers = [answer for one in causes if (answer := getattr(one, "response", None)) is not None]
        reason = "; ".join(dict.fromkeys((str(one).splitlines() or [repr(one)])[0] for one in causes))
        if any(answer.status_code in REFUSED for answer in answers):
            raise InputError(repository, f"the hub refuses the upload ({reason})", LOGIN_REMEDY) from error
        raise InputError(
            repository,
            f"the upload broke off ({reason})",
            f"Run the same command, or stage 11 (--stage 11 --skip_upload_hf false --hf_repo {repository}), "
            "again: files that have arrived are not sent again",
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _be_patient() -> None:
    """Let requests fail after a silence: huggingface_hub itself would wait for ever."""
    from huggingface_hub import get_session

    get_session().timeout = PATIENCE
