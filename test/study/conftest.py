from ..generate.conftest import files, system  # noqa: F401
