"""Codes of sound files, by many workers; a killed run goes on where it was."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import codec_device, open_codec, read_codec_config
from espnet2_valle.common.audio import audio_seconds, read_audio
from espnet2_valle.common.errors import InputError, work_errors
from espnet2_valle.common.machine import is_gpu
from espnet2_valle.common.resume import digest
from espnet2_valle.data.arks import Made, Source
from espnet2_valle.data.codes import INDEX, ShardedCodes, read_codes
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.data.tables import Subset, Table
from espnet2_valle.jobs.pool import use_cluster

READERS = 8  # sound files that a worker on a GPU reads at once
SHARD_SIZES = (256, 1024, 4096)  # utterances an ark, the unit of resuming: the first that gives few arks
FEW_ARKS = 2000


def encode_set(
    codec_config: str,
    wav_scp: str,
    output_dir: str,
    only: str | None = None,
    device: str = "cpu",
    shard_size: int | None = None,
    batch_size: int = 1,
    max_bad: float = MAX_BAD,
    nj: int = 1,
    cluster: str | None = None,
) -> None:
    """Write the codes of a set of utterances: codes.scp, codes_shape and arks. Goes on where it was.

    Args:
        codec_config: codec.yaml.
        wav_scp: sound files by utterance.
        output_dir: where the codes go.
        only: file of two columns; utterances that are not in it are left out.
        device: where the codec computes, if it can, see `jobs.pool.use_cluster`.
        shard_size: utterances of an ark; None: see `choose_shard_size`.
        batch_size: utterances of a shard that are encoded at once.
        max_bad: share of the sound files that may be unusable.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.

    Raises:
        InputError: a number is out of range, the codec cannot be opened, or too many sound files are bad.
    """
    for option, value in (("shard_size", shard_size), ("batch_size", batch_size)):
        if value is not None and value < 1:
            raise InputError(f"--{option}", f"{value} is not a positive number", "Give 1 or more")
    sounds = chosen_sounds(wav_scp, only)
    aside = SetAside(len(sounds), max_bad, wav_scp)
    device = codec_device(codec_config, device)
    shards = ShardedCodes(output_dir)
    with use_cluster(cluster, device):
        encode_sounds(
            codec_config,
            sounds,
            shards,
            nj,
            aside=aside,
            shard_size=shard_size or choose_shard_size(len(sounds), shards.manifest.size()),
            batch_size=batch_size,
            device=device,
        )
    aside.report(output_dir)


def choose_shard_size(count: int, begun: int = 0) -> int:
    """Utterances of an ark: more for a large set, since training keeps its arks open.

    Args:
        count: utterances of the set.
        begun: those of the first ark of an earlier run, whose size is kept so that its work is.
    """
    if begun in SHARD_SIZES:
        return begun
    return next((size for size in SHARD_SIZES if count <= FEW_ARKS * size), SHARD_SIZES[-1])


def encode_files(
    codec_config: str,
    wavs: Mapping[str, str],
    output_dir: str | Path,
    nj: int = 1,
    aside: SetAside | None = None,
    shard_size: int = SHARD_SIZES[0],
) -> Mapping[str, np.ndarray]:
    """Encode a modest number of sound files by utterance; see `encode_sounds`.

    Returns:
        utterance -> codes (T, Q) int16, read lazily.
    """
    encode_sounds(
        codec_config, wavs.items(), ShardedCodes(output_dir), nj, aside=aside, shard_size=shard_size
    )
    return read_codes(Path(output_dir) / INDEX)


def encode_sounds(
    codec_config: str,
    sounds: Iterable[Source],
    shards: ShardedCodes,
    nj: int = 1,
    *,
    aside: SetAside | None = None,
    shard_size: int = SHARD_SIZES[0],
    batch_size: int = 1,
    device: str = "cpu",
) -> None:
    """Encode sound files; what the same codec made of the same file before is kept.

    Args:
        codec_config: codec.yaml.
        sounds: utterances and their sound files; read twice.
        shards: get codes.scp, codes_shape, arks and manifest/.
        nj: workers.
        aside: takes the utterances whose files are bad; without it the first of them ends the work.
        shard_size: utterances an ark, the unit of resuming.
        batch_size: utterances of a shard encoded at once, those of about the same length together.
        device: where a worker's codec computes.

    Raises:
        InputError: no such codec, or a bad sound file.
    """
    open_codec(codec_config, "cpu")  # any error comes now, once, and not from every worker
    shards.fill(
        sounds,
        codec_state(codec_config),
        partial(encode_batch, codec_config, device),
        nj=nj,
        title="tokenise",
        aside=aside,
        shard_size=shard_size,
        batch_size=batch_size,
        length=_seconds,
    )


def encode_batch(codec_config: str, device: str, batch: Sequence[Source]) -> Made:
    """Codes of each utterance of a batch, or what is wrong with its sound file.

    Raises:
        WorkError: this worker cannot open the codec.
    """
    with work_errors():
        codec = open_codec(codec_config, device)
    read = dict(zip((key for key, _ in batch), _read_all(batch, codec.sample_rate, device), strict=True))
    wavs = {key: sound for key, sound in read.items() if not isinstance(sound, InputError)}
    encoded: Made = {key: sound for key, sound in read.items() if isinstance(sound, InputError)}
    encoded.update(zip(wavs, codec.encode_batch(list(wavs.values())), strict=True))
    return encoded


def _read_all(batch: Sequence[Source], rate: int, device: str) -> list[np.ndarray | InputError]:
    """The sounds of a batch. A worker on the CPU is one thread; a GPU would wait for one that reads."""
    if not is_gpu(device):
        return [_read(rate, sound) for sound in batch]
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(partial(_read, rate), batch))


def _read(rate: int, sound: Source) -> np.ndarray | InputError:
    """Samples (S,) at `rate` Hz, or what is wrong with the file."""
    try:
        return read_audio(sound[1], rate)[0]
    except InputError as error:
        return error


def _seconds(sound: Source) -> float:
    try:
        return audio_seconds(sound[1])
    except InputError:
        return 0.0  # the worker tells of it


def codec_state(codec_config: str | Path) -> str:
    """A digest of codec.yaml and the model file it names."""
    model = read_codec_config(codec_config)["model"]
    files = [Path(codec_config)] + ([Path(codec_config).parent / model] if model else [])
    return digest(file.read_bytes().hex() for file in files)


def chosen_sounds(wav_scp: str, only: str | None) -> Table | Subset:
    """Utterances of `wav_scp`, if they are in the file `only`, with their sound files.

    Raises:
        InputError: none is left.
    """
    sounds = Subset(Table(wav_scp), Table(only)) if only else Table(wav_scp)
    if not len(sounds):
        raise InputError(wav_scp, f"has no utterance that is in {only}", "Correct --wav_scp or --only")
    return sounds
