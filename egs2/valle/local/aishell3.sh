#!/usr/bin/env bash
# Stage 1 of AISHELL-3: Mandarin, 218 voices. Its own test.
#   local/aishell3.sh --db DIR --output_dir data/NAME [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus aishell3 "$@"
