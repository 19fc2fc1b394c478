#!/usr/bin/env bash
# shellcheck disable=SC2154  # valle.sh sets what is used here
# Sourced by valle.sh: whether stage 8 will have judges that fit, told before anything is trained; and stage 7's chooser.

# load_scorers CONFIG: load the models of a scoring config, or end with what is missing.
load_scorers() {
    "${PYTHON}" - "$1" <<'PYTHON'
import sys

from espnet2_valle.common.cli import run_command
from espnet2_valle.evaluation.scorers import DefaultPlan
from espnet2_valle.evaluation.settings import read_settings


def load(argv):
    DefaultPlan(settings=read_settings(argv[0])).build()


run_command(load, sys.argv[1:])
PYTHON
}

# other_language: what says that the test set is not English; nothing if nothing does.
other_language() {
    local list=${data}/${test_sets}/utt2lang
    if [ -f "${list}" ]; then
        awk 'tolower($2) !~ /^(en|und)/ { print "utt2lang: " $2; exit }' "${list}"
    elif [ "${token_type}" = phn ] && [[ ! ${g2p} =~ ^(g2p_en|espeak_ng_english|none) ]]; then
        echo "--g2p ${g2p}"
    fi
}

# check_language CHOSEN: die if pocketsphinx would judge another language than English. CHOSEN is the --score_config that
# was given: who gives one knows its judge. A closed vocabulary has a judge trained for it.
check_language() {
    local found
    if [ -n "$1" ] || [ -f "${data}/vocabulary" ]; then return; fi
    found=$(other_language)
    [ -z "${found}" ] ||
        die "--score_config: the test set is not English (${found}), and its judge would be pocketsphinx, which hears English only. Give a config with another judge: ../../conf/score/aishell3.yaml is for Mandarin, and a copy of it with another language for that one. Or train without scores: --skip_eval true"
}

# check_candidates: die if there would be nothing for the chooser to choose from.
check_candidates() {
    [[ " ${inference_args}" != *" --best_of"[\ =]* ]] || return 0 # valle_inference looks at the number
    grep -Eq '^best_of: *([2-9]|[1-9][0-9])' "${inference_config}" ||
        die "--phone_chooser: a single candidate leaves it no choice. Add --inference_args \"--best_of 8\""
}

# train_recogniser DIR CONFIG [FILE...] -- [OPTION...]: one of words or phones (options of judge_train), from the recordings;
# anew when a FILE has changed.
train_recogniser() {
    local dir=$1 config=$2 set command inputs=("$2")
    shift 2
    for set in "${recorded_set}" "${valid_set}"; do
        need "${raw}/${set}/.done" 2
        inputs+=("${raw}/${set}/.done")
    done
    while [ "$1" != -- ]; do
        inputs+=("$1")
        shift
    done
    shift
    command=("${PYTHON}" -m espnet2_valle.bin.judge_train --train_dir "${raw}/${recorded_set}" --valid_dir "${raw}/${valid_set}"
        --config "${config}" --output_dir "${dir}" "$@")
    start_training "${dir}" "${inputs[@]}" -- "${command[@]}"
    step "${dir}/.done" "${dir}" "${dir}/.started" -- run_logged "${dir}/train.log" "${command[@]}"
}

# train_phone_chooser: a recogniser of phones in exp/NAME/phones, for --chooser phones.
train_phone_chooser() {
    local units=("${text_options[@]}")
    [ "${token_type}" != bpe ] || units=(--token_type char --cleaner "${cleaner}")
    train_recogniser "${exp}/phones" "${phone_chooser_config}" -- "${units[@]}"
}
