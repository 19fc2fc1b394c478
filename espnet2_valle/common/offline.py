"""Importing ESPnet without the download that comes with it."""


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
