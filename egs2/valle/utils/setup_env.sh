#!/usr/bin/env bash
# Sourced. Gives the commands a Python that has espnet2_valle: the active environment if ESPnet is in it, and nothing is
# installed into that one; else .venv at the root of the checkout, made and filled once.
#   setup_env ROOT EXTRAS      EXTRAS such as espeak,score
# Sets PATH, PYTHONPATH and PYTHON.

# From 26.3 on pip refuses ci_sdr, which espnet needs, for a dependency by URL of an extra that nobody asks for.
PIP_VERSION="pip>=24,<26.3"
# Later ones want a setuptools that espnet refuses; pip would fetch each of them, half a gigabyte, to find that out.
TORCH_VERSION="torch<2.13"

setup_env() {
    local root=$1 extras=$2
    PYTHON=$(command -v python || command -v python3 || true)
    if [ -n "${PYTHON}" ] && _has_espnet "${PYTHON}" && [[ ${PYTHON} != "${root}"/.venv/* ]]; then
        _use_active "${root}" "${extras}"
    else
        _use_venv "${root}" "${extras}"
    fi
    # This checkout, whichever one pip knows of.
    export PYTHONPATH="${root}${PYTHONPATH:+:${PYTHONPATH}}" PYTHONUTF8=1 PYTHON
}

_has_espnet() {
    "$1" - >/dev/null 2>&1 <<'PYTHON'
from importlib.util import find_spec
raise SystemExit(0 if find_spec("espnet2") and find_spec("torch") else 1)
PYTHON
}

_use_active() {
    "${PYTHON}" "$1/egs2/valle/utils/check_requirements.py" "$1" "$2" || exit 1
}

_use_venv() {
    local root=$1 extras=$2 venv=$1/.venv stamp log key
    stamp=${venv}/.installed
    log=${root}/egs2/valle/.setup.log
    key=$(cat "${root}/setup.py" | cksum)
    PYTHON=${venv}/bin/python3
    PATH=${venv}/bin:${PATH}
    export PATH
    if ! _is_installed "${stamp}" "${key}" "${extras}"; then
        # Where nothing can be written there is nobody to wait for, and the check says so.
        ! touch "${log}" 2>/dev/null || _lock "${log}" "another call is installing into ${venv}; waiting for it"
        # Which may have been what was wanted here too.
        _is_installed "${stamp}" "${key}" "${extras}" || _install "${root}" "${extras}" "${key}" "${log}"
        exec 9>&- # the lock
    fi
    echo "environment: ${venv}"
}

# _install ROOT EXTRAS KEY LOG
_install() {
    local root=$1 extras=$2 key=$3 log=$4 venv=$1/.venv stamp started=${SECONDS} found
    stamp=${venv}/.installed
    if ! [ -f "${stamp}" ]; then
        rm -rf "${venv}" || true # first, lest its python be found; what hinders it is named below
        found=$(_find_python) || exit 1
        "${found}" "${root}/egs2/valle/utils/check_machine.py" "${root}" || exit 1
    fi
    echo "installing into ${venv} with [${extras}], once; this takes some minutes. Log: ${log}"
    if ! [ -f "${stamp}" ]; then
        "${found}" -m venv "${venv}" || _setup_failed "${log}" "python's venv module does not work"
    fi
    # An environment that was whole once is mended after a kill, not made anew: others may be running in it.
    if [ -f "${stamp}" ]; then echo unfinished >"${stamp}"; fi
    _pip "${venv}/tmp" "${root}[${extras}]" >"${log}" 2>&1 || _setup_failed "${log}" "pip could not install everything"
    printf '%s\n%s\n' "${key}" "${extras}" >"${stamp}"
    echo $((SECONDS - started)) >"${venv}/.setup_seconds"
    echo "installed in $((SECONDS - started)) s"
}

# _pip FOLDER PROJECT: install PROJECT. pip unpacks 3 GB in FOLDER, for which a small /tmp, perhaps in memory, has no room.
_pip() {
    local -x TMPDIR=$1
    _pip_has_cache || local -x PIP_NO_CACHE_DIR=1
    rm -rf "${TMPDIR}" && mkdir -p "${TMPDIR}" &&
        "${PYTHON}" -m pip install --upgrade "${PIP_VERSION}" &&
        "${PYTHON}" -m pip install -e "$2" "${TORCH_VERSION}" &&
        rm -rf "${TMPDIR}"
}

# Where it has none, in a home that takes no files, pip may fail to build a package after all.
_pip_has_cache() {
    local cache
    cache=$("${PYTHON}" -m pip cache dir) && mkdir -p "${cache}" && [ -w "${cache}" ]
}

# _lock FILE MESSAGE: until file descriptor 9 is closed nobody else has FILE. Without flock (macOS), nobody is kept out.
_lock() {
    exec 9>>"$1"
    command -v flock >/dev/null || return 0
    flock -n 9 || { echo "$2" && flock 9; }
}

# _is_installed STAMP KEY EXTRAS: the stamp is of this setup.py and names all the extras.
_is_installed() {
    local extra have
    [ -f "$1" ] && [ "$(head -n 1 "$1")" = "$2" ] || return 1
    have=,$(tail -n 1 "$1"),
    for extra in ${3//,/ }; do
        [[ ${have} == *,${extra},* ]] || return 1
    done
}

# The first Python from 3.10 to 3.13.
_find_python() {
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

_setup_failed() {
    [ -f "$1" ] && tail -n 15 "$1" >&2
    echo "error: the installation failed: $2. Whole log: $1" >&2
    exit 1
}
