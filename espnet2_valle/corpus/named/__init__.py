"""The named corpora: every file of this folder but `registry` is one. Standard library only."""

import pkgutil


def corpus_names() -> list[str]:
    """List what `--corpus` may say, beside `mini` and `folder`; run.sh asks before anything is installed."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "registry")
