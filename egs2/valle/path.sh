#!/usr/bin/env bash
# Sourced: the environment of the commands. A lab with an environment of its own activates it before.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# shellcheck source=utils/setup_env.sh
. "${root}/egs2/valle/utils/setup_env.sh"
setup_env "${root}" "${extras:-espeak,score}"

export LC_ALL=C # Kaldi's sorting order
# oneDNN compiles a kernel for each shape of matrices; its default of 1024 is less than an epoch has, and forgets them.
export ONEDNN_PRIMITIVE_CACHE_CAPACITY=${ONEDNN_PRIMITIVE_CACHE_CAPACITY:-16384}
# Large tensors in huge pages: with pages of 4 kB a training step spends a tenth of its time on getting memory.
export THP_MEM_ALLOC_ENABLE=${THP_MEM_ALLOC_ENABLE:-1}
