"""Importing ESPnet without what comes with it: an attempt to download, and words on standard output."""

import contextlib
import io


def import_g2p_without_download() -> None:
    """Import g2p_en, as `espnet2.text` will, without its attempt to fetch NLTK data.

    g2p_en tries that whenever it is imported and the data is missing, whatever tokenizer is asked for:
    behind a firewall each command would wait for a connection. Call this before importing from `espnet2`.
    """
    import nltk

    download = nltk.download
    nltk.download = lambda *args, **kwargs: False
    try:
        import g2p_en  # noqa: F401
    finally:
        nltk.download = download


def import_espnet_quietly() -> None:
    """Import what ESPnet's tasks import first, without a download and without printing.

    Its attention prints that a package is missing which it does not need; standard output may be
    a stream of samples. Call this before importing from `espnet2.tasks`.
    """
    import_g2p_without_download()
    with contextlib.redirect_stdout(io.StringIO()):
        import espnet.nets.pytorch_backend.transformer.attention  # noqa: F401
