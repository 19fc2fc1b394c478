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
usage: ./run.sh [--corpus NAME] [--db DIR] [--tag NAME] [options of valle.sh]
  --corpus mini      the embedded corpus: espeak-ng voices, a closed vocabulary, no download (default)
  --corpus folder    recordings of yours in --db DIR: sound files with metadata.csv (header id|speaker|text), or a .txt
                     beside each, or a Kaldi data directory; DIR may hold train/, valid/ and test/
  --corpus ljspeech, vctk, libritts, libritts_r, librispeech, libriheavy, librilight, aishell3, emovdb
                     taken from --db DIR or from where db.sh says, else downloaded
  --corpus librispeech_test
                     LibriSpeech test-clean, to score a model: give --download_model too
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

# absolute FROM DIR: the whole path of a folder that was named as seen from FROM.
absolute() {
    (cd "$1" && cd "$2" 2>/dev/null && pwd) || { echo "error: --db: no such folder: $2" >&2 && exit 2; }
}

# shellcheck source=db.sh
. ./db.sh
case "${corpus}" in
mini)
    [ -z "${db}" ] || { echo "error: --db: mini has no folder; add --corpus folder, or the corpus that lies in ${db}" >&2 && exit 2; }
    name=${tag:-mini}
    corpus_options=(--local_data_opts "--config ../../conf/mini.yaml")
    ;;
folder)
    db=${db:-${FOLDER}}
    [ -n "${db}" ] || { echo "error: --corpus folder: which folder? Give --db DIR" >&2 && exit 2; }
    db=$(absolute "${called_from}" "${db}")
    name=${tag:-$(basename "${db}")}
    corpus_options=(--db "${db}")
    ;;
ljspeech | vctk | libritts | libritts_r | librispeech | librispeech_test | libriheavy | librilight | aishell3 | emovdb)
    name=${tag:-${corpus}}
    in_db_sh=$(tr '[:lower:]' '[:upper:]' <<<"${corpus}")
    if [ -n "${db}" ]; then
        db=$(absolute "${called_from}" "${db}")
        corpus_options=(--db "${db}")
    elif [ "${!in_db_sh}" = downloads ]; then
        corpus_options=(--db "$(pwd)/downloads/${corpus}" --download true)
    else
        [ -n "${!in_db_sh}" ] || { echo "error: --corpus ${corpus}: give --db DIR, or fill ${in_db_sh} in db.sh" >&2 && exit 2; }
        db=$(absolute "$(pwd)" "${!in_db_sh}")
        corpus_options=(--db "${db}")
    fi
    case "${corpus}" in
    librispeech_test) corpus_options+=(--train_set "" --valid_set "") ;;
    aishell3) corpus_options+=(--g2p pypinyin_g2p_phone_without_prosody --score_config ../../conf/score/aishell3.yaml) ;;
    esac
    ;;
*)
    echo "error: --corpus: unknown corpus '${corpus}'. See $0 --help" >&2
    exit 2
    ;;
esac

exec ./valle.sh --corpus "${corpus}" --tag "${name}" "${corpus_options[@]}" ${rest[@]+"${rest[@]}"}
