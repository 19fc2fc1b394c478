#!/usr/bin/env bash
# shellcheck disable=SC2154  # valle.sh sets options and stages
# Sourced by valle.sh: the words in which its stages are written. Python does what they say.

recipe() { "${PYTHON}" -m espnet2_valle.bin.recipe "$@"; }

# ask WHAT...: of this run, whose options Python reads.
ask() { recipe "$@" -- ${options[@]+"${options[@]}"}; }

# wanted NUMBER: this stage was asked for.
wanted() { [[ " ${stages} " == *" $1 "* ]]; }

# step [--log LOG] [--keep_for DIR]... MARKER OUTPUT FILE... -- COMMAND...: run COMMAND unless it made OUTPUT before with the same words
# and FILEs. A later step that has MARKER among its FILEs is done again after this one was. What a training in DIR has learnt from is
# kept.
step() { "${PYTHON}" -m espnet2_valle.bin.step "$@"; }

# train [--ngpu N --num_nodes N --cmd CMD] DIR OUTPUT FILE... -- COMMAND...: the same for a training, which goes on where it was;
# DIR may not hold one with other words or FILEs.
train() { step --training "$@"; }

# begin_stage NUMBER NAME: a stage lasts until the next one begins, or this script ends, also when it is broken off.
stage_name=
begin_stage() {
    local ended=()
    [ -z "${stage_name}" ] || ended=(--ended "${stage_name}" $((SECONDS - stage_started)))
    stage_name=$2 stage_started=${SECONDS}
    ask begin "$1" "$2" ${ended[@]+"${ended[@]}"}
}

# end_stage: add the seconds of the last one to exp/TAG/stage_times.
end_stage() { [ -z "${stage_name}" ] || ask end "${stage_name}" $((SECONDS - stage_started)); }
