"""Set-up that Dask loads into each local worker as it starts."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave interrupts, which a terminal sends to workers too, to the driver: it ends them in silence."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
