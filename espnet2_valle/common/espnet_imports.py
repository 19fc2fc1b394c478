"""Importing ESPnet without what comes with it: an attempt to download, and words that nobody can act upon."""

import contextlib
import io
import logging
import warnings
from typing import Any

import typeguard

# Said at every utterance, or for each model that is loaded.
CHATTER = (
    "Using make_pad_mask with a list of lengths",
    "Using legacy_rel_",
    "Set decoder to none as ctc_weight==1.0",
)

# Typeguard would compile their functions anew to check arguments: half of what their import takes.
# inflect spells numbers for g2p_en.
UNCHECKED = ("espnet", "espnet2", "inflect")
_checked = typeguard.typechecked


def import_g2p_without_download() -> None:
    """Import g2p_en, as `espnet2.text` will, without its attempt to fetch NLTK data.

    g2p_en tries that whenever it is imported and the data is missing, whatever tokenizer is asked for:
    behind a firewall each command would wait for a connection. Call this before importing from `espnet2`.
    """
    _leave_unchecked()
    import nltk

    download = nltk.download
    nltk.download = lambda *args, **kwargs: False
    try:
        import g2p_en  # noqa: F401
    finally:
        nltk.download = download


def import_espnet_quietly() -> None:
    """Import what ESPnet's tasks import first, without a download and without its chatter, now and later.

    Its attention prints that a package is missing which it does not need; standard output may be
    a stream of samples. Call this before importing from `espnet2.tasks`.
    """
    import_g2p_without_download()
    with contextlib.redirect_stdout(io.StringIO()):
        import espnet.nets.pytorch_backend.transformer.attention  # noqa: F401
    warnings.filterwarnings("ignore", r"`torch\.cuda\.amp\.autocast", FutureWarning)  # as ESPnet calls it
    logging.getLogger().addFilter(_is_no_chatter)  # once, however often it is added


def _is_no_chatter(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(CHATTER)


def _leave_unchecked() -> None:
    """Have ESPnet's functions imported as they are, from now on, which halves the time of its import."""
    typeguard.typechecked = _typechecked


def _typechecked(target: Any = None, **options: Any) -> Any:
    """typeguard's decorator, which leaves functions and classes of UNCHECKED as they are."""
    module = getattr(target, "__module__", None) or ""  # of a bare call with options: none
    if module.partition(".")[0] in UNCHECKED:
        return target
    return _checked(target, **options)
