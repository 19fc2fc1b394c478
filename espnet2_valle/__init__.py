"""Zero-shot text-to-speech with neural codec language models, as an ESPnet plugin."""

__version__ = "0.1.0"
