#!/usr/bin/env bash
# Stage 1 of the embedded corpus: espeak-ng voices, generated here from installed wheels. Other options go to prepare_mini.
#   local/mini.sh --output_dir data/NAME [--config conf/mini.yaml] [--nj N]
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_mini "$@"
