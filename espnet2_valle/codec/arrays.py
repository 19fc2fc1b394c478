"""Files of NumPy arrays (.npz) that may be damaged, or none."""

import zlib
from zipfile import BadZipFile

# What reading one raises when it is another file, cut short, damaged, or lacks an array.
NO_ARRAYS = (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, MemoryError)
