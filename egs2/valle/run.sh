#!/usr/bin/env bash
# From recordings to a scored, packed zero-shot TTS model. Without options: the embedded corpus, on this machine.
#   ./run.sh [--corpus "NAME ..."] [--db "DIR ..."] [--tag NAME] [options of valle.sh]      all of them: ./run.sh --help
set -euo pipefail
called_from=$(pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

# shellcheck source=utils/setup_env.sh
. utils/setup_env.sh
set -a # so that Python sees where the corpora lie
# shellcheck source=db.sh
. ./db.sh
set +a
words=$(bare_recipe corpus --called_from "${called_from}" --recipe "$(pwd)" -- "$@")
eval "exec ./valle.sh ${words}"
