"""Work that tells what its worker sees. Nothing is imported that would load torch there."""

import os
import sys
import time


def visible(number: int = 0) -> tuple[int, str | None, bool]:
    """Process, its GPUs, and whether torch was there before."""
    time.sleep(0.05)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES"), "torch" in sys.modules
