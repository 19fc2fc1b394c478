#!/usr/bin/env bash
# Everything that a GPU has to tell, most wanted first, behind test/gpu/bundle.sh.
#   test/gpu/check.sh OUT_DIR [cuda|cpu]     cpu: a rehearsal in small sizes. PYTHON: the interpreter, default python3
# OUT_DIR gets a log for each part and figures.json (the benchmarks' JSON lines). Every part has its own limit of time, on a GPU.
set -uo pipefail
out=$(realpath -m "${1:?"usage: test/gpu/check.sh OUT_DIR [cuda|cpu]"}")
device=${2:-cuda}
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
python=${PYTHON:-python3}
begin=${SECONDS}
failed=()
site=$(mktemp -d)
trap 'rm -rf "${site}"' EXIT
mkdir -p "${out}"
"${python}" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "${site}" .gpu/wheels/*.whl || exit
export PYTHONUNBUFFERED=1 PYTHONPATH=${site}:${PWD} GPU_TEST_DEVICE=${device}

part() { # part LIMIT NAME COMMAND...
    local limit=$1 name=$2 code
    shift 2
    timeout -k 5 $((limit * patience)) "$@" >"${out}/${name}.log" 2>&1
    code=$?
    [ "${code}" = 0 ] || failed+=("${name}")
    echo "== ${name}: exit ${code}, at $((SECONDS - begin)) s"
    tail -n 25 "${out}/${name}.log"
}
bench() { # bench LIMIT NAME WHICH OPTION...
    local limit=$1 name=$2
    shift 2
    part "${limit}" "${name}" "${python}" -m espnet2_valle.bin.benchmark "$@" --device "${device}" --json "${out}/${name}.json"
}

if [ "${device}" = cuda ]; then
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
    patience=1
    size=paper
    train=(--dtype bfloat16 --batch_bins 24000 --steps 5 --warm_up 3)
    decode=(--rounds 2 --batch_size 64)
    stream=(--dtype bfloat16)
    graphs=true
else
    patience=20
    size=mini
    train=(--batch_bins 1000 --steps 1 --warm_up 1)
    decode=(--seconds 0.4 --steps 2 --rounds 1 --long_frames 310 --batch_size 2 --num_threads 1)
    stream=(--seconds 1 --repeats 1)
    graphs=false
fi
"${python}" -c "import platform, torch; print('Python', platform.python_version(), 'torch', torch.__version__, 'CUDA', torch.version.cuda)"
part 180 tests "${python}" -m pytest -q -p no:cacheprovider -m gpu test/gpu
for model in ar nar; do
    bench 90 "train_${model}" train --config "conf/train_${model}_${size}.yaml" "${train[@]}"
    bench 120 "train_${model}_packed" train --config "conf/train_${model}_${size}.yaml" --packed true "${train[@]}"
done
bench 120 decode_graphs decode --size "${size}" --cuda_graphs "${graphs}" --native never "${decode[@]}"
bench 60 streaming streaming --cuda_graphs "${graphs}" --native never --ar_config "conf/train_ar_${size}.yaml" \
    --nar_config "conf/train_nar_${size}.yaml" "${stream[@]}"
bench 120 decode_eager decode --size "${size}" --cuda_graphs false --native never "${decode[@]}"
cat "${out}"/*.json >"${out}/figures.json" 2>/dev/null
echo "done in $((SECONDS - begin)) s; failed: ${failed[*]:-nothing}"
[ ${#failed[@]} = 0 ]
