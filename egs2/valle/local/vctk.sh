#!/usr/bin/env bash
# Stage 1 of VCTK: 110 voices. Eleven whole speakers are the test.
#   local/vctk.sh --db DIR --output_dir data/NAME [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus vctk "$@"
