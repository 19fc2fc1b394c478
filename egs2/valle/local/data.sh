#!/usr/bin/env bash
# Stage 1: data directories and test pairs of a corpus. `mini`, `mini_x` and `mini_emo` are generated and need no --db.
#   local/data.sh --corpus NAME [--db DIR] --output_dir data/NAME [options of the command below; see its --help]
set -euo pipefail
[ "${1:-}" = --corpus ] && [ $# -ge 2 ] || { echo "error: $0: begin with --corpus NAME" >&2 && exit 2; }
case "$2" in
mini | mini_x | mini_emo | folder) exec "${PYTHON}" -m "espnet2_valle.bin.prepare_$2" "${@:3}" ;;
*) exec "${PYTHON}" -m espnet2_valle.bin.prepare_corpus "$@" ;;
esac
