#!/usr/bin/env bash
# Stage 1 of any folder of recordings with transcripts. The options go to prepare_folder; see its --help.
#   local/folder.sh --db DIR --output_dir data/NAME [--num_test_speakers N] [--nj N] ...
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_folder "$@"
