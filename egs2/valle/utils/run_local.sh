#!/usr/bin/env bash
# Runs a command on this machine with its output in a log: the least of Kaldi's run.pl, for espnet2.bin.launch.
#   utils/run_local.sh [--gpu N] [--num_threads N] [--mem SIZE] LOG COMMAND [ARGUMENT ...]
set -euo pipefail

while [[ ${1:-} == --* ]]; do shift 2; done
if [ $# -lt 2 ]; then
    echo "usage: $0 [--gpu N] LOG COMMAND [ARGUMENT ...]" >&2
    exit 2
fi
log=$1
shift
mkdir -p "$(dirname "${log}")"
echo "# $*" >>"${log}"
"$@" 2>&1 | tee -a "${log}"
