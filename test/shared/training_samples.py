"""Archives small enough to train on in a test, and the options of such a training."""

import multiprocessing

import kaldiio
import numpy as np
import torch
import yaml

from espnet2_valle.common.conf import CONF
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train.index_writer import build_index

SPEC = {
    "type": "world",
    "model": "codec.npz",
    "options": {},
    "sample_rate": 24000,
    "frame_rate": 50.0,
    "num_codebooks": 4,
    "codebook_size": 16,
}
SPLITS = ("train", "valid")
TINY = ["layers=1", "width=16", "heads=2", "feed_forward=32"]


def write_archive(tmp_path):
    """Write token ids and codes of eight utterances, with what the task needs beside them."""
    rng = np.random.default_rng(0)
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\na\nb\n<sos/eos>\n")
    (tmp_path / "codec.yaml").write_text(yaml.safe_dump(SPEC))
    lengths = {f"utt{n}": (int(rng.integers(2, 6)), int(rng.integers(8, 20))) for n in range(8)}
    texts = {utt: rng.integers(2, 4, size) for utt, (size, _) in lengths.items()}
    rows = (f"{utt} {' '.join(map(str, ids))}\n" for utt, ids in texts.items())
    (tmp_path / "token_int").write_text("".join(rows))
    with (
        kaldiio.WriteHelper(
            f"ark,scp:{tmp_path}/codes.ark,{tmp_path}/codes.scp", write_function="numpy"
        ) as writer,
        open(tmp_path / "codes_shape", "w") as shape,
    ):
        for utt, (_, frames) in lengths.items():
            writer(utt, rng.integers(0, 16, (frames, 4)).astype(np.int16))
            shape.write(f"{utt} {frames},4\n")
    (tmp_path / "utt2spk").write_text("".join(f"{utt} s{n % 2}\n" for n, utt in enumerate(lengths)))
    build_index(tmp_path, tmp_path / "token_int", tmp_path / "utt2spk", tmp_path / "index")
    return tmp_path


def options(archive, valle, *more):
    data = [f"--{split}_data_path_and_name_and_type={archive}/index,index,valle_index" for split in SPLITS]
    return [
        f"--config={CONF}/train_{valle}_mini.yaml",
        f"--token_list={archive}/tokens.txt",
        f"--codec_config={archive}/codec.yaml",
        f"--output_dir={archive}/exp",
        "--num_workers=0",
        "--use_matplotlib=false",
        "--use_tensorboard=false",
        "--peak_tflops=1",
        "--codeword_init=false",
        "--codeword_smoothing_mass=1",
        "--batch_bins=200",
        "--num_iters_per_epoch=2",
        "--max_epoch=1",
        "--join_seconds=0",  # a batch of all utterances is the same in each pass
        *data,
        *[f"--valle_conf={item}" for item in TINY],
        *more,
    ]


def train_on_two_ranks(archive, command):
    """Train in two processes that exchange gradients by gloo."""
    number = len(list(archive.glob("init*")))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["espnet2_valle.tasks.valle"])  # which takes longer than such a training
    ranks = [
        context.Process(
            target=VALLETask.main,
            kwargs={
                "cmd": [
                    *command,
                    *("--ngpu=0", "--dist_backend=gloo", "--dist_world_size=2", f"--dist_rank={rank}"),
                    f"--dist_init_method=file://{archive}/init{number}",
                ]
            },
        )
        for rank in (0, 1)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    assert [process.exitcode for process in ranks] == [0, 0]


def curve(exp):
    """Loss and accuracy of each epoch, in training and validation, in a row."""
    stats = torch.load(exp / "checkpoint.pth", weights_only=False)["reporter"]["stats"]
    parts = [part for epoch in sorted(stats) for part in stats[epoch].values()]
    return [part[name] for part in parts for name in ("loss", "acc10")]


def weights(path):
    return torch.load(path, weights_only=True)


def same(one, other, **tolerance):
    return one.keys() == other.keys() and all(
        torch.allclose(value, other[name], **tolerance) for name, value in one.items()
    )
