#!/usr/bin/env bash
# Sourced. Gives the commands a Python that has espnet2_valle: the active environment if ESPnet is in it, and nothing is
# installed into that one; else .venv at the root of the checkout, made and filled once.

_UTILS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# setup_env ROOT EXTRAS: EXTRAS such as espeak,score. Sets PATH, PYTHONPATH and PYTHON.
setup_env() {
    local root=$1 extras=$2 found
    PYTHON=$(command -v python || command -v python3 || true)
    if [ -n "${PYTHON}" ] && [[ ${PYTHON} != "${root}"/.venv/* ]] && _has_espnet; then
        "${PYTHON}" "${_UTILS}/check_requirements.py" "${root}" "${extras}" || exit 1
    else
        found=$(find_python) || exit 1
        "${found}" "${_UTILS}/install_env.py" "${root}" "${extras}" || exit 1
        PYTHON=${root}/.venv/bin/python3
        export PATH="${root}/.venv/bin:${PATH}"
    fi
    # This checkout, whichever one pip knows of.
    export PYTHONPATH="${root}${PYTHONPATH:+:${PYTHONPATH}}" PYTHONUTF8=1 PYTHON
}

_has_espnet() {
    "${PYTHON}" -c 'from importlib.util import find_spec; raise SystemExit(not (find_spec("espnet2") and find_spec("torch")))' 2>/dev/null
}

# bare_recipe WORD...: what the recipe asks of Python before anything is installed, and needs nothing installed for.
bare_recipe() {
    local found
    found=$(find_python) || exit 1
    PYTHONPATH=${_UTILS}/../../.. "${found}" -m espnet2_valle.bin.recipe "$@"
}

# find_python: print the first Python from 3.10 to 3.13.
find_python() {
    local name
    for name in python3 python3.11 python3.12 python3.10 python3.13 python; do
        if "${name}" -c 'import sys; raise SystemExit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "${name}"
            return
        fi
    done
    echo "error: no Python from 3.10 to 3.13 found (python3 is $(python3 --version 2>&1)). Install one, or activate an ESPnet environment" >&2
    exit 1
}
