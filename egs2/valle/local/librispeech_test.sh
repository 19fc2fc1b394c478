#!/usr/bin/env bash
# Stage 1 of LibriSpeech test-clean alone, with the field's lists: to score a packed model.
#   local/librispeech_test.sh --db DIR --output_dir data/NAME [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus librispeech_test "$@"
