#!/usr/bin/env bash
# From recordings to a scored, packed zero-shot TTS model. Without options: the embedded corpus, on this machine.
set -euo pipefail
called_from=$(pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

corpus=mini
db=
tag=
rest=()
while [ $# -gt 0 ]; do
    case "$1" in
    --corpus=* | --db=* | --tag=*)
        rest_name=${1%%=*}
        printf -v "${rest_name#--}" '%s' "${1#*=}"
        shift
        ;;
    --corpus | --db | --tag)
        [ $# -ge 2 ] || { echo "error: $0: option '$1' has no value" >&2 && exit 2; }
        printf -v "${1#--}" '%s' "$2"
        shift 2
        ;;
    --help | -h)
        cat <<'HELP'
usage: ./run.sh [--corpus mini|folder] [--db DIR] [--tag NAME] [options of valle.sh]
  --corpus mini      the embedded corpus: espeak-ng voices, a closed vocabulary, no download (default)
  --corpus folder    recordings of yours in --db DIR: sound files with metadata.csv (header id|speaker|text), or a .txt
                     beside each, or a Kaldi data directory; DIR may hold train/, valid/ and test/
  --tag NAME         name of the run: data/NAME, dump/NAME, exp/NAME; default: the corpus, or the folder's name
HELP
        exec ./valle.sh --help
        ;;
    *)
        rest+=("$1")
        shift
        ;;
    esac
done

# shellcheck source=db.sh
. ./db.sh
case "${corpus}" in
mini)
    name=${tag:-mini}
    corpus_options=(--local_data_opts "--config ../../conf/mini.yaml")
    ;;
folder)
    db=${db:-${FOLDER}}
    [ -n "${db}" ] || { echo "error: --corpus folder: which folder? Give --db DIR" >&2 && exit 2; }
    db=$(cd "${called_from}" && cd "${db}" 2>/dev/null && pwd) || { echo "error: --db: no such folder" >&2 && exit 2; }
    name=${tag:-$(basename "${db}")}
    corpus_options=(--db "${db}")
    ;;
*)
    echo "error: --corpus: unknown corpus '${corpus}'. Choose mini or folder" >&2
    exit 2
    ;;
esac

exec ./valle.sh --corpus "${corpus}" --tag "${name}" "${corpus_options[@]}" ${rest[@]+"${rest[@]}"}
