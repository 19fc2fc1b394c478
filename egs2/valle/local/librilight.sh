#!/usr/bin/env bash
# Stage 1 of Libri-Light, cut to 10 to 20 s by word times in DIR/alignments/SUBSET.ctm. Whole speakers held out.
#   local/librilight.sh --db DIR --output_dir data/NAME [--parts small] [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus librilight "$@"
