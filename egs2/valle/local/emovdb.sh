#!/usr/bin/env bash
# Stage 1 of EmoV-DB: four voices in five emotions. Every twentieth sentence is the test.
#   local/emovdb.sh --db DIR --output_dir data/NAME [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus emovdb "$@"
