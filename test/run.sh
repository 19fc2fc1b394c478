#!/usr/bin/env bash
# Everything that must hold before a change goes in: format, lint, types, layers, scripts, tests.
#   test/run.sh [--quick true]     quick leaves out the tests that run the recipe itself
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=()
case "$*" in
'' | '--quick false') ;;
'--quick true') what=(-m "not recipe") ;;
*) echo "usage: $0 [--quick true]" >&2 && exit 2 ;;
esac
# shellcheck source=../egs2/valle/utils/setup_env.sh
. egs2/valle/utils/setup_env.sh
setup_env "$(pwd)" espeak,score,longform,languages,emotion,finetune,lyra,serve,test,dev

check() {
    echo "== $*"
    "$@"
}
mapfile -t scripts < <(find egs2 test .ci -name '*.sh' -not -path '*/exp/*' -o -path .ci/run | sort)

check "${PYTHON}" -m ruff format --check .
check "${PYTHON}" -m ruff check .
check "${PYTHON}" -m mypy
check "$(dirname "${PYTHON}")/lint-imports"
check "$(dirname "${PYTHON}")/shellcheck" -x "${scripts[@]}"
export OMP_NUM_THREADS=1 # two workers on two cores
# The recipe takes longest, so it begins, on one worker, while the other does the rest.
check "${PYTHON}" -m pytest -n 2 --dist loadfile --no-loadscope-reorder test/recipe test ${what[@]+"${what[@]}"}
echo "all passed in ${SECONDS} s"
