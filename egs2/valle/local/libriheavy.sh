#!/usr/bin/env bash
# Stage 1 of Libriheavy: Libri-Light with the books' text, cut to 10 to 20 s. Its own dev and test_clean.
#   local/libriheavy.sh --db DIR --output_dir data/NAME [--parts small,dev,test_clean] [--download only] ...    all options: prepare_corpus --help
set -euo pipefail
exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus --corpus libriheavy "$@"
