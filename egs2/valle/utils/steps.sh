#!/usr/bin/env bash
# shellcheck disable=SC2154  # stage_times is the caller's
# What valle.sh's stages share: steps that are done once, the order of stages, and the time each took.

log() { echo "$(date '+%H:%M:%S') $*"; }

die() {
    echo "error: $*" >&2
    exit 1
}

# run_logged LOG COMMAND...: ESPnet's trainers say much; all of it goes to LOG, the epochs go to the screen.
run_logged() {
    local log_file=$1
    shift
    mkdir -p "$(dirname "${log_file}")"
    log "training; log: ${log_file}"
    echo "# $*" >>"${log_file}"
    "$@" 2>&1 | tee -a "${log_file}" | awk '/epoch started|epoch results|the training will end|a step takes/ { print; fflush() }' || {
        tail -n 25 "${log_file}" >&2
        die "the training was broken off. Its log: ${log_file}. Run the same command again to go on from the last epoch"
    }
}

# Digest of standard input.
digest() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-64
}

# fingerprint FILE... -- COMMAND...: digest of the files, of the command without what changes no result, and of the
# configs that it names.
fingerprint() {
    local files=() word
    while [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    shift
    {
        [ ${#files[@]} -eq 0 ] || cat "${files[@]}"
        while [ $# -gt 0 ]; do
            word=$1
            shift
            case "${word}" in
            --nj | --cluster | --ngpu | --num_nodes | --device) [ $# -eq 0 ] || shift ;;
            *.yaml) if [ -f "${word}" ]; then cat "${word}"; else echo "${word}"; fi ;;
            *) echo "${word}" ;;
            esac
        done
    } | digest
}

# step MARKER OUTPUT FILE... -- COMMAND...: run COMMAND unless it made OUTPUT before with the same words and files.
# The marker is written when the command has ended well. A later step that takes it for one of its files is done again
# after this one was.
step() {
    local marker=$1 output=$2 key done_key=
    shift 2
    key=$(fingerprint "$@")
    while [ "$1" != -- ]; do shift; done
    shift
    if [ -f "${marker}" ]; then read -r done_key _ <"${marker}"; fi
    if [ -e "${output}" ] && [ "${done_key}" = "${key}" ]; then
        log "done before: ${output}"
        return
    fi
    rm -f "${marker}"
    "$@"
    [ -e "${output}" ] || die "${output}: not written, though the command ended well: $*"
    echo "${key} $(date '+%Y-%m-%dT%H:%M:%S')" >"${marker}"
}

# start_training DIR FILE... -- COMMAND...: refuse to go on in a folder that holds a training with other settings.
start_training() {
    local dir=$1 key
    shift
    key=$(fingerprint "$@")
    if [ -f "${dir}/.started" ] && [ "$(cat "${dir}/.started")" != "${key}" ]; then
        die "${dir}: holds a training with another config, codec or data. Choose another --tag, or remove the folder to train anew"
    fi
    mkdir -p "${dir}"
    echo "${key}" >"${dir}/.started"
}

# need MARKER STAGE: end with a clear message unless an earlier stage has written its marker.
need() {
    [ -f "$1" ] || die "stage ${current_stage} needs what stage $2 writes, and $1 is not there. Run stage $2 first: --stage $2"
}

# codec_rate CODEC_YAML: its Hz. Options of a codec may hold a sample_rate too, indented: ESPnet's training configs do.
codec_rate() { awk '/^sample_rate:/ { print $2 }' "$1"; }

# begin_stage NUMBER NAME, end_stage: the time between them is added to ${stage_times}, also when the stage is broken off.
begin_stage() {
    current_stage=$1
    stage_name=$2
    stage_started=${SECONDS}
    log "stage $1: $2"
}

end_stage() {
    [ -n "${stage_name:-}" ] || return 0
    add_time "${stage_name}" $((SECONDS - stage_started))
    stage_name=
}

# add_time NAME SECONDS: one line a stage, the sum over all runs.
add_time() {
    mkdir -p "$(dirname "${stage_times}")"
    touch "${stage_times}"
    awk -v name="$1" -v seconds="$2" '
        $1 == name { $2 += seconds; found = 1 }
        { print }
        END { if (!found) print name, seconds }' "${stage_times}" >"${stage_times}.new"
    mv "${stage_times}.new" "${stage_times}"
}
