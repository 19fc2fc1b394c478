"""Stage 2: every sound file of a set becomes mono 16-bit FLAC at one rate; what cannot be used is told."""

import argparse
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.datadir import DataDir, write_scp
from espnet2_valle.corpus.format import Formatted, Source, format_utterance
from espnet2_valle.corpus.made_from import MadeFrom, sound_state
from espnet2_valle.corpus.pairs import PAIR_LISTS, read_pairs, write_pairs
from espnet2_valle.corpus.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import parallel_map, use_cluster


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="data/NAME/SET")
    parser.add_argument("--output_dir", required=True, help="dump/NAME/raw/SET")
    parser.add_argument("--fs", type=int, required=True, help="rate of the codec in Hz")
    parser.add_argument(
        "--min_duration", type=float, default=0.3, help="seconds; shorter utterances are dropped"
    )
    parser.add_argument(
        "--max_duration", type=float, default=20.0, help="seconds; longer utterances are dropped"
    )
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad files left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = get_parser().parse_args(argv)
    data = DataDir.load(args.data_dir)
    output_dir = Path(args.output_dir).absolute()
    good = format_all(data, output_dir, args)
    kept = within_duration(good, args.fs, args.min_duration, args.max_duration, data.path)
    wavs = {u: str(output_dir / "wav" / f"{u}.flac") for u in kept}
    formatted = replace(data.subset(kept, output_dir), wavs=wavs, spans={})
    for name in PAIR_LISTS:
        keep_pairs(data.path / name, output_dir / name, set(kept))
    write_scp(output_dir / "utt2num_samples", kept)
    formatted.write()
    hours = sum(kept.values()) / args.fs / 3600
    logging.info(
        "%s: %d of %d utterances kept, %.2f h at %d Hz", output_dir, len(kept), len(data.wavs), hours, args.fs
    )


def format_all(data: DataDir, output_dir: Path, args: argparse.Namespace) -> dict[str, int]:
    """Format every utterance that is not done; the bad ones, and those at which workers died, are set aside.

    Returns:
        Samples of each good utterance.

    Raises:
        InputError: more than --max_bad of them are bad.
    """
    sources = {utt: Source(utt, wav, data.spans.get(utt)) for utt, wav in data.wavs.items()}
    states = {utt: sound_state(source.wav, source.span, args.fs) for utt, source in sources.items()}
    work = partial(format_utterance, output_dir=output_dir / "wav", sample_rate=args.fs)
    aside = SetAside(len(sources), args.max_bad, str(data.path))
    results = []
    with use_cluster(args.cluster), MadeFrom(output_dir, states) as made:
        pending = [source for utt, source in sources.items() if utt not in made.samples]
        done = parallel_map(work, pending, args.nj, f"format {data.path.name}", keep_errors=True)
        for source, result in zip(pending, done):
            if isinstance(result, InputError):
                result = Formatted(source.utterance, 0, error=result)
            if result.error:
                aside.extend({source.utterance: result.error})
            else:
                made.add(source.utterance, result.num_samples)
            results.append(result)
    aside.report(output_dir)
    log_sources(data.path, results, args.fs)
    return {utt: made.samples[utt] for utt in sources if utt in made.samples}


def log_sources(path: Path, results: Iterable[Formatted], fs: int) -> None:
    """Tell of sound files that were mixed down or resampled."""
    stereo = [r.utterance for r in results if r.channels > 1]
    if stereo:
        logging.warning(
            "%s: %d files have several channels and were mixed down, the first '%s'",
            path,
            len(stereo),
            stereo[0],
        )
    for rate, count in sorted(Counter(r.rate for r in results if r.rate not in (0, fs)).items()):
        logging.info("%s: %d files resampled from %d to %d Hz", path, count, rate, fs)


def within_duration(
    samples: dict[str, int], fs: int, min_duration: float, max_duration: float, path: Path
) -> dict[str, int]:
    """Utterances of an allowed length; the others are counted in the log.

    Raises:
        InputError: none is left.
    """
    short = [u for u, n in samples.items() if n < min_duration * fs]
    long = [u for u, n in samples.items() if n > max_duration * fs]
    for dropped, what, limit in ((short, "shorter", min_duration), (long, "longer", max_duration)):
        if dropped:
            logging.warning(
                "%s: %d utterances %s than %g s dropped, the first '%s'",
                path,
                len(dropped),
                what,
                limit,
                dropped[0],
            )
    kept = {u: n for u, n in samples.items() if u not in set(short) | set(long)}
    if not kept:
        raise InputError(
            path,
            f"no utterance lasts {min_duration:g} to {max_duration:g} s",
            "Change --min_duration or --max_duration",
        )
    return kept


def keep_pairs(source: Path, target: Path, kept: set[str]) -> None:
    """Copy a test set's list of pairs without those whose utterances were dropped.

    Raises:
        InputError: none is left.
    """
    if not source.is_file():
        return
    pairs = read_pairs(source)
    usable = [p for p in pairs if {p.prompt_utt, p.target_utt, p.other_utt} <= kept | {"-"}]
    if not usable:
        raise InputError(
            source, "every pair has an utterance that was dropped", "Change the limits, or stage 1's prompts"
        )
    if len(usable) < len(pairs):
        logging.warning(
            "%s: %d of %d pairs left, the others had a dropped utterance", target, len(usable), len(pairs)
        )
    write_pairs(target, usable)


if __name__ == "__main__":
    run_command(main)
