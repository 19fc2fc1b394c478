#!/usr/bin/env bash
# Stage 1 of LJSpeech 1.1: one voice. The last 250 ids are the test, the 250 before them validation.
#   local/ljspeech.sh --db DIR --output_dir data/NAME [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus ljspeech "$@"
