#!/usr/bin/env bash
# Stage 1 of LibriTTS: 2 456 voices. Its own dev-clean and test-clean.
#   local/libritts.sh --db DIR --output_dir data/NAME [--parts train-clean-100,dev-clean,test-clean] [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus libritts "$@"
