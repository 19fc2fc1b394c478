"""Zero-shot text-to-speech with neural codec language models, as an ESPnet plugin."""

from espnet2_valle.common.cache import use_writable_caches

__version__ = "0.1.0"

use_writable_caches()  # before any module imports a library that keeps one
