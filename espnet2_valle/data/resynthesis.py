"""Sound files through the codec and back: what it alone does to speech."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.codec.build import codec_device, open_codec
from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, remove_unfinished
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.made_from import told_to_make_anew
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.jobs.pool import parallel_map, use_cluster
from espnet2_valle.jobs.shards import cut


def resynthesise_set(
    codec_config: str,
    wav_scp: str,
    output_dir: Path,
    pairs: str | None = None,
    codebooks: int | None = None,
    nj: int = 1,
    cluster: str | None = None,
    device: str = "cpu",
    batch_size: int = 1,
) -> None:
    """Encode and decode utterances: wav/ and wav.scp.

    Args:
        codec_config: codec.yaml.
        wav_scp: sound files by utterance.
        output_dir: where the sound goes.
        pairs: list of pairs, whose targets are resynthesised, named by the pair; and whose prompts are, by
            utterance, in prompts/ and prompts.scp. None: all utterances.
        codebooks: decode only the first so many; None for all.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.
        device: where the codec computes, if it can, see `jobs.pool.use_cluster`.
        batch_size: utterances that it codes at once.

    Raises:
        InputError: the codec has fewer codebooks, or see `targets`.
    """
    codec = open_codec(codec_config, "cpu")
    device = codec_device(codec_config, device)
    if codebooks is not None and not 1 <= codebooks <= codec.num_codebooks:
        raise InputError("--codebooks", f"{codebooks} is not in 1..{codec.num_codebooks}", "Correct it")
    wavs = read_scp(wav_scp)
    wanted = targets(pairs, wavs) if pairs else wavs
    paths = {key: output_dir / "wav" / f"{key}.wav" for key in wanted}
    voices = prompts(pairs, wavs) if pairs else {}
    voice_paths = {key: output_dir / "prompts" / f"{key}.wav" for key in voices}
    jobs = [(source, paths[key]) for key, source in wanted.items()]
    jobs += [(source, voice_paths[key]) for key, source in voices.items()]
    work = partial(resynthesise, codec_config, device, codebooks)
    with told_to_make_anew(), use_cluster(cluster, device):
        for _ in parallel_map(work, cut(jobs, batch_size), nj=nj, title="resynthesise"):
            pass
    remove_unfinished(output_dir / "wav", output_dir / "prompts")
    if voices:
        with atomic_open(output_dir / "prompts.scp") as scp:
            scp.writelines(f"{key} {path}\n" for key, path in voice_paths.items())
    with atomic_open(output_dir / "wav.scp") as scp:
        scp.writelines(f"{key} {path}\n" for key, path in paths.items())


def prompts(pairs: str, wavs: dict[str, str]) -> dict[str, str]:
    """The sound files of the prompts that a `pairs` file names, by utterance."""
    return {pair.prompt_utt: wavs[pair.prompt_utt] for pair in read_pairs(pairs) if pair.prompt_utt in wavs}


def targets(pairs: str, wavs: dict[str, str]) -> dict[str, str]:
    """Map each pair of a `pairs` file to the sound file of its target utterance.

    Raises:
        InputError: a target without sound file.
    """
    found = {}
    for pair in read_pairs(pairs):
        if pair.target_utt not in wavs:
            raise InputError(
                pairs,
                f"target {pair.target_utt} of {pair.pair_id} is not in the wav.scp",
                "Run stage 1 again",
            )
        found[pair.pair_id] = wavs[pair.target_utt]
    return found


def resynthesise(
    codec_config: str, device: str, codebooks: int | None, batch: Sequence[tuple[str, Path]]
) -> None:
    """Read the first of each job, encode, decode, write the second."""
    codec = open_codec(codec_config, device)
    codes = codec.encode_batch([read_audio(source, codec.sample_rate)[0] for source, _ in batch])
    wavs = codec.decode_batch([one[:, :codebooks] for one in codes])
    for wav, (_, output) in zip(wavs, batch, strict=True):
        write_audio(output, wav, codec.sample_rate)
