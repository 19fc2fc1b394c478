"""An archive with timing and a small world codec, and the options of a tiny training on it."""

import numpy as np
import yaml
from codec_samples import OPTIONS, voices

from espnet2_valle.asr.gaussians import TokenGaussians
from espnet2_valle.asr.timing import NAME, Aligner
from espnet2_valle.codec.build import save_codec_config
from espnet2_valle.codec.latent import LatentStatistics
from espnet2_valle.codec.world import MODEL, WorldCodec
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_fit import build_features
from espnet2_valle.common.conf import CONF
from espnet2_valle.data.arks import ShardedArks
from espnet2_valle.data.codes import CodeWriter
from espnet2_valle.train.index_writer import build_index

VOCAB = ("<blank>", "<unk>", "a", "b", "<sos/eos>")
SIZES = {
    "width": 16,
    "heads": 2,
    "encoder_layers": 1,
    "encoder_feed_forward": 16,
    "prompt_layers": 1,
    "predictor_layers": 2,
    "wavenet_layers": 3,
    "wavenet_width": 16,
    "queries": 2,
}


def write_timed_archive(folder):
    """Write codec, codes, token ids, timing, index and aligner of eight utterances of two speakers."""
    rng = np.random.default_rng(0)
    features = build_features(WorldConfig.from_dict(OPTIONS, "test"))
    codec = WorldCodec.fit({**OPTIONS, "codebook_size": 16}, [features.analyse(wav) for wav in voices()])
    codec.save(folder / MODEL)
    save_codec_config(folder / "codec.yaml", codec, MODEL, {})
    (folder / "tokens.txt").write_text("".join(f"{token}\n" for token in VOCAB))
    codes, texts, timing = {}, {}, {}
    for number in range(8):
        utterance, frames, tokens = f"utt{number}", int(rng.integers(20, 40)), int(rng.integers(2, 6))
        codes[utterance] = rng.integers(0, 16, (frames, 3)).astype(np.int16)
        texts[utterance] = rng.integers(2, 4, tokens)
        pitch = np.where(rng.random(frames) < 0.7, rng.uniform(80, 200, frames), 0.0)
        places = np.sort(rng.integers(0, tokens + 2, frames))
        timing[utterance] = np.stack([pitch, places], axis=1).astype(np.float32)
    with CodeWriter(folder) as writer:
        for utterance, row in codes.items():
            writer[utterance] = row
    arks = ShardedArks(folder / "timing", NAME)
    arks.write(1, "", timing)
    arks.finish(1)
    rows = (f"{utterance} {' '.join(map(str, ids))}\n" for utterance, ids in texts.items())
    (folder / "token_int").write_text("".join(rows))
    (folder / "utt2spk").write_text("".join(f"utt{n} s{n % 2}\n" for n in range(8)))
    build_index(folder, folder / "token_int", folder / "utt2spk", folder / "index")
    dim = codec.features.dim
    gaussians = TokenGaussians(rng.normal(size=(5, dim)), np.ones((5, dim)))
    Aligner(LatentStatistics.of(map(codec.latent, codes.values())), gaussians).save(folder / "aligner.npz")
    return folder


def ns2_options(archive, *more):
    """Words of `ns2_train` for two steps on the archive."""
    data = [
        f"--{split}_data_path_and_name_and_type={archive}/{entry}"
        for split in ("train", "valid")
        for entry in ("index,index,valle_index", "timing,timing,timing")
    ]
    return [
        f"--config={CONF}/train_ns2_mini.yaml",
        *(f"--token_list={archive}/tokens.txt", f"--codec_config={archive}/codec.yaml"),
        *(f"--aligner={archive}/aligner.npz", f"--output_dir={archive}/exp"),
        *("--num_workers=0", "--use_matplotlib=false", "--use_tensorboard=false", "--peak_tflops=1"),
        *("--batch_bins=120", "--num_iters_per_epoch=2", "--max_epoch=1", "--token_type=char"),
        *("--min_prompt_seconds=0.1", "--max_prompt_seconds=0.3", "--model_conf=bf16=false"),
        *[f"--ns2_conf={name}={value}" for name, value in SIZES.items()],
        *data,
        *more,
    ]


def read_config(exp):
    """config.yaml of a training."""
    return yaml.safe_load((exp / "config.yaml").read_text())
