#!/usr/bin/env bash
# Stage 1 of LibriSpeech: 960 h, dev-clean, and the field's lists of test-clean.
#   local/librispeech.sh --db DIR --output_dir data/NAME [--parts train-clean-100,dev-clean,test-clean] [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus librispeech "$@"
