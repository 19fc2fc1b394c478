#!/usr/bin/env bash
# Gather in .gpu/wheels what a machine with PyTorch, Python 3.12 and no network lacks to run test/gpu/check.sh (~20 MB).
#   test/gpu/bundle.sh [PYTHON [PYTHON_3.12]]     PYTHON: of the project's environment, whose versions are taken; default .venv/bin/python
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${1:-.venv/bin/python}
mkdir -p .gpu/wheels

platforms=()
for n in 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${n}_x86_64"); done
platforms+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)
version() { "${python}" -m pip show "$1" 2>/dev/null | sed -n 's/^Version: //p'; }

binary=(audioread cffi configargparse decorator defusedxml editdistance espnet-tts-frontend humanfriendly inflect jamo jaraco.functools
    kaldiio librosa more-itertools nltk platformdirs pooch pycparser pypinyin soundfile soxr torch-complex typeguard unidecode lazy-loader
    dask distributed cloudpickle toolz partd locket tblib zict tornado click msgpack importlib-metadata safetensors)
source=(espnet espnet-g2p-en jaconv distance encodec)
for name in "${binary[@]}"; do
    ver=$(version "${name}")
    [ -n "${ver}" ] || { echo "${name}: not in the environment of ${python}, left out" && continue; }
    "${python}" -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp "${platforms[@]}" \
        -d .gpu/wheels "${name}==${ver}" || { echo "${name}: no wheel, built here" && source+=("${name}"); }
done
for name in "${source[@]}"; do
    ver=$(version "${name}")
    [ -n "${ver}" ] || continue
    "${python}" -m pip wheel -q --no-deps -w .gpu/wheels "${name}==${ver}" || echo "${name}: could not be built" >&2
done
# pyworld has no Linux wheel: it is built where a Python 3.12 with a compiler is at hand; without it the parts with the `world` codec fail.
python312=${2:-$(command -v python3.12 || true)}
if [ -n "${python312}" ]; then
    "${python312}" -m pip wheel -q --no-deps -w .gpu/wheels "pyworld==$(version pyworld)" ||
        echo "pyworld: could not be built for Python 3.12" >&2
fi
for wheel in .gpu/wheels/*.whl; do
    case "${wheel}" in
    *-any.whl | *cp312* | *abi3* | *py2.py3-none-manylinux* | *py3-none-manylinux*) ;;
    *) echo "not for Python 3.12: ${wheel}" >&2 ;;
    esac
done
du -sh .gpu/wheels
