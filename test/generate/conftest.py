"""A whole small system with random weights: world codec, AR, NAR, two voices and a list of pairs."""

import numpy as np
import pytest
import torch
import yaml

from espnet2_valle.bin import codec_fit
from espnet2_valle.codec.build import load_codec
from espnet2_valle.codec.latent import LatentStatistics
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.conf import find
from espnet2_valle.tasks.ns2 import NS2Task
from espnet2_valle.tasks.valle import VALLETask

RATE = 24000
WORLD = {
    "sample_rate": RATE,
    "frame_rate": 50,
    "codebook_size": 16,
    "stages": [{"voicing": 6.0, "pitch": 1.0, "c0-12": 1.0}, {"pitch": 8.0, "c13-23": 1.0, "high": 1.0}],
}
TINY = ["layers=1", "width=16", "heads=2", "feed_forward=32"]


def buzz(pitch, seconds, seed=0):
    """A voiced sound (S,) whose pitch wanders: enough for WORLD to find a voice in."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.05 * np.sin(5 * time))) / RATE
    wav = sum(np.sin(k * phase) / k for k in range(1, 20)) + 0.01 * rng.standard_normal(len(time))
    return (0.1 * wav).astype(np.float32)


TOKENS = ("<space>", "a", "b", "c")


def write_model(folder, valle, codec_config, seed=0, text=("--token_type=char",), tokens=TOKENS):
    """Save config.yaml and random weights as a training would; `text`: its options of reading texts."""
    (folder / "tokens.txt").parent.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.txt").write_text("\n".join(["<blank>", "<unk>", *tokens, "<sos/eos>"]) + "\n")
    command = [f"--output_dir={folder}", f"--valle={valle}", *text]
    command += [f"--token_list={folder}/tokens.txt", f"--codec_config={codec_config}"]
    args = VALLETask.get_parser().parse_args([*command, *[f"--valle_conf={item}" for item in TINY]])
    torch.manual_seed(seed)
    model = VALLETask.build_model(args)
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), folder / "model.pth")


def model_files(folder, codec_config, text, **options):
    """Save an AR and a NAR model, see `write_model`; returns what `Text2Speech.from_files` takes."""
    for valle in ("ar", "nar"):
        write_model(folder / valle, valle, codec_config, text=text, **options)
    kinds = {f"{valle}_train_config": str(folder / valle / "config.yaml") for valle in ("ar", "nar")}
    weights = {f"{valle}_model_file": str(folder / valle / "model.pth") for valle in ("ar", "nar")}
    return {**kinds, **weights, "codec_config": str(codec_config)}


IDS = ("--token_type=char", "--valle_conf=language_id=both", "--valle_conf=languages=[de,en]")


@pytest.fixture(scope="session")
def told(system, tmp_path_factory):
    """Files of a model with language IDs that reads characters."""
    return model_files(tmp_path_factory.mktemp("told"), system / "codec" / "codec.yaml", IDS)


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """The folder of the system: codec/, ar/, nar/, data/ and pairs."""
    root = tmp_path_factory.mktemp("system")
    data = root / "data"
    lines = {"wav.scp": [], "text": [], "utt2spk": []}
    for speaker, pitch in (("low", 110), ("high", 220)):
        for n, text in enumerate(("a b", "b c a")):
            utt = f"{speaker}_{n}"
            write_audio(data / "wav" / f"{utt}.wav", buzz(pitch, 1.0 + 0.2 * n, seed=n), RATE)
            lines["wav.scp"].append(f"{utt} {data}/wav/{utt}.wav")
            lines["text"].append(f"{utt} {text}")
            lines["utt2spk"].append(f"{utt} {speaker}")
    for name, content in lines.items():
        (data / name).write_text("\n".join(sorted(content)) + "\n")
    (data / "spk2utt").write_text("high high_0 high_1\nlow low_0 low_1\n")
    (root / "pairs").write_text("p1 low_0 low_1 high_0\np2 high_1 high_0 low_0\np3 low_1 low_0 high_1\n")
    (root / "world.yaml").write_text(yaml.safe_dump({**yaml.safe_load(world_conf()), **WORLD}))
    command = ["--codec=world", f"--config={root}/world.yaml", f"--wav_scp={data}/wav.scp"]
    codec_fit.main([*command, f"--output_dir={root}/codec"])
    for valle in ("ar", "nar"):
        write_model(root / valle, valle, root / "codec" / "codec.yaml")
    return root


def world_conf():
    """The world codec's default configuration."""

    return find("codec/world.yaml").read_text()


@pytest.fixture(scope="session")
def files(system):
    """Constructor arguments of `Text2Speech`."""
    return {
        "ar_train_config": str(system / "ar" / "config.yaml"),
        "ar_model_file": str(system / "ar" / "model.pth"),
        "nar_train_config": str(system / "nar" / "config.yaml"),
        "nar_model_file": str(system / "nar" / "model.pth"),
        "codec_config": str(system / "codec" / "codec.yaml"),
    }


NS2 = {
    "width": 16,
    "heads": 2,
    "encoder_layers": 1,
    "encoder_feed_forward": 16,
    "prompt_layers": 1,
    "predictor_layers": 2,
    "wavenet_layers": 2,
    "wavenet_width": 16,
    "queries": 2,
}


@pytest.fixture(scope="session")
def ns2_files(system):
    """Those of a diffusion model: random weights, statistics of the voices, five frames a token."""
    folder = system / "ns2"
    folder.mkdir()
    (folder / "tokens.txt").write_text("<blank>\n<unk>\n<space>\na\nb\nc\n<sos/eos>\n")
    command = [f"--output_dir={folder}", f"--token_list={folder}/tokens.txt", "--token_type=char"]
    command += [f"--codec_config={system}/codec/codec.yaml"]
    args = NS2Task.get_parser().parse_args([*command, *[f"--ns2_conf={k}={v}" for k, v in NS2.items()]])
    torch.manual_seed(0)
    model = NS2Task.build_model(args)
    codec = load_codec(system / "codec" / "codec.yaml")
    latents = [codec.latent(codec.encode(buzz(pitch, 1.0))) for pitch in (110, 220)]
    statistics = LatentStatistics.of(latents)
    model.ns2.latent_mean.copy_(torch.from_numpy(statistics.mean))
    model.ns2.latent_std.copy_(torch.from_numpy(statistics.std))
    torch.nn.init.normal_(model.ns2.wavenet.outward.weight, std=0.1)
    model.ns2.duration_predictor.out.bias.data.fill_(np.log(6.0))
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), folder / "model.pth")
    return {
        "ns2_train_config": str(folder / "config.yaml"),
        "ns2_model_file": str(folder / "model.pth"),
        "codec_config": str(system / "codec" / "codec.yaml"),
    }


STYLED = (
    "--token_type=char",
    "--valle_conf=style=[emotion,speaking_rate,pitch_level,pitch_variation,energy]",
    "--valle_conf=emotions=[angry,happy,neutral,sad]",
)


@pytest.fixture(scope="session")
def styled(system, tmp_path_factory):
    """Files of a model that is told styles, which count much in it, and reads characters."""
    files = model_files(tmp_path_factory.mktemp("styled"), system / "codec" / "codec.yaml", STYLED)
    for kind in ("ar", "nar"):
        weights = torch.load(files[f"{kind}_model_file"], weights_only=True)
        weights["valle.styles.table"] *= 5
        torch.save(weights, files[f"{kind}_model_file"])
    return files
