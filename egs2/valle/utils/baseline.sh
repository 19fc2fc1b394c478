#!/usr/bin/env bash
# shellcheck disable=SC2154  # valle.sh sets what is used here
# Sourced by valle.sh: trains ESPnet's own TTS systems on the run's data and has them say the run's pairs.

# check_baselines: refuse names that there are not, and configs that are missing.
check_baselines() {
    local kind file
    for kind in ${baseline}; do
        case ${kind} in
        vits | tacotron2 | fastspeech2) ;;
        *) die "--baseline: there is no '${kind}'. Choose among vits, tacotron2 and fastspeech2" ;;
        esac
    done
    for kind in $(with_teachers); do
        file=${baseline_conf}/${kind}.yaml
        [ -f "${file}" ] || die "${file}: no such config (relative to $(pwd))"
    done
}

# check_systems: refuse what is not NAME=FOLDER.
check_systems() {
    local word
    for word in ${systems}; do
        [[ ${word} == ?*=?* ]] || die "--systems: '${word}' is not NAME=FOLDER"
        [ -e "${word#*=}" ] || die "--systems: ${word#*=}: no such folder or wav.scp (relative to $(pwd))"
    done
}

# with_teachers: the systems of --baseline, and before FastSpeech 2 the one that times its tokens.
with_teachers() {
    local kind
    for kind in ${baseline}; do
        [ "${kind}" != fastspeech2 ] || echo tacotron2
        echo "${kind}"
    done | awk '!seen[$0]++'
}

# baseline_model KIND: its checkpoint that speaks. No loss tells which epoch of two opponents sounds best.
baseline_model() {
    if [ "$1" = vits ]; then echo "${exp}/$1/latest.pth"; else echo "${exp}/$1/valid.loss.ave.pth"; fi
}

# baseline_limit: minutes that a training may take; by default what VALL-E's two models took, written down once.
baseline_limit() {
    local file=${exp}/baseline_minutes
    if [ -n "${baseline_minutes}" ]; then
        echo "${baseline_minutes}"
        return
    fi
    if ! [ -s "${file}" ]; then
        grep -qs '^train_nar ' "${stage_times}" || die "--baseline_minutes: VALL-E was not trained here. Say how many minutes each baseline is trained"
        awk '$1 == "train_ar" || $1 == "train_nar" { sum += $2 } END { printf "%.1f\n", sum / 60 }' "${stage_times}" >"${file}"
    fi
    cat "${file}"
}

# baseline_training KIND: the stages in which it learnt, a teacher's too.
baseline_training() {
    if [ "$1" = fastspeech2 ]; then echo train_tacotron2,train_fastspeech2; else echo "train_$1"; fi
}

# train_baselines: part of stage 6.
train_baselines() {
    local kind set
    begin_stage 6 baseline_data
    for set in ${sets}; do
        need "${raw}/${set}/.done" 2
        need "${token}/${set}/.done" 3
        step "${spembs}/${set}/.done" "${spembs}/${set}/spembs.scp" "${raw}/${set}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.speaker_embed --wav_scp "${raw}/${set}/wav.scp" \
            --output_dir "${spembs}/${set}" "${workers[@]}"
    done
    end_stage
    for kind in $(with_teachers); do train_baseline "${kind}"; done
}

# train_baseline KIND: durations if it needs them, statistics, training.
train_baseline() {
    local kind=$1 dir=${exp}/$1 set model more=() command inputs=("${token}/tokens.txt") made=() limit
    limit=$(baseline_limit)
    command=(--kind "${kind}" --config "${baseline_conf}/${kind}.yaml" --raw_dir "${raw}" --token_dir "${token}"
        --spembs_dir "${spembs}" --train_set "${train_set}" --valid_set "${valid_set}" --fs "${fs}")
    [ "${kind}" != fastspeech2 ] || command+=(--durations_dir "${durations}")
    read -ra more <<<"${baseline_args}"
    begin_stage 6 baseline_data
    for set in ${train_set} ${valid_set}; do
        inputs+=("${raw}/${set}/wav.scp" "${token}/${set}/token_int")
        made+=("${raw}/${set}/.done" "${token}/${set}/.done")
        [ "${kind}" = fastspeech2 ] || continue
        model=$(baseline_model tacotron2)
        step "${durations}/${set}/.done" "${durations}/${set}/durations" "${exp}/tacotron2/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.baseline_durations --train_config "${exp}/tacotron2/config.yaml" \
            --model_file "${model}" --wav_scp "${raw}/${set}/wav.scp" --token_int "${token}/${set}/token_int" \
            --spembs "${spembs}/${set}/spembs.scp" --output_dir "${durations}/${set}" --nj "${nj}"
        inputs+=("${durations}/${set}/durations")
        made+=("${durations}/${set}/.done")
    done
    step "${dir}/stats/.done" "${dir}/stats/train/text_shape" "${made[@]}" -- \
        run_logged "${dir}/stats.log" "${PYTHON}" -m espnet2_valle.bin.baseline_stats "${command[@]}" --output_dir "${dir}/stats" --nj "${nj}"
    end_stage
    begin_stage 6 "train_${kind}"
    command=("${PYTHON}" -m espnet2_valle.bin.baseline_train "${command[@]}" --stats_dir "${dir}/stats" --output_dir "${dir}"
        --train_minutes "${limit}" ${more[@]+"${more[@]}"})
    start_training "${dir}" "${inputs[@]}" -- "${command[@]}"
    step "${dir}/.done" "$(baseline_model "${kind}")" "${dir}/.started" -- launch_training "${dir}" "${command[@]}"
    end_stage
}

# embed_prompts: sets prompt_spembs to the prompts' speaker embeddings; a continuation's prompt is the first 3 seconds.
embed_prompts() {
    prompt_spembs=${spembs}/${test_sets}
    [ "${pairs}" = pairs_continuation ] || return 0
    prompt_spembs+=_beginning
    step "${prompt_spembs}/.done" "${prompt_spembs}/spembs.scp" "${raw}/${test_sets}/.done" -- \
        "${PYTHON}" -m espnet2_valle.bin.speaker_embed --wav_scp "${raw}/${test_sets}/wav.scp" --seconds 3 \
        --output_dir "${prompt_spembs}" "${inference_workers[@]}"
}

# decode_baselines: part of stage 7.
decode_baselines() {
    local kind dir
    [ -z "${baseline}" ] || embed_prompts
    for kind in ${baseline}; do
        dir=${exp}/${kind}
        need "${dir}/.done" 6
        step "${dir}/decode${pairs#pairs}/.done" "${dir}/decode${pairs#pairs}/wav.scp" "${raw}/${test_sets}/.done" "${dir}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.baseline_inference --config ../../conf/baseline/decode.yaml \
            --vocoder_config ../../conf/baseline/griffin_lim.yaml --train_config "${dir}/config.yaml" \
            --model_file "$(baseline_model "${kind}")" --pairs "${raw}/${test_sets}/${pairs}" \
            --token_int "${token}/${test_sets}/token_int" --spembs "${prompt_spembs}/spembs.scp" \
            --output_dir "${dir}/decode${pairs#pairs}" --nj "${inference_nj}" --device "$("${gpu_inference}" && echo cuda || echo cpu)"
    done
}

# compared_systems: sets compared to the options of score and report that name the other systems, compared_scored to
# those of score alone, compared_done to the files that they depend on.
compared_systems() {
    local kind word
    compared=()
    compared_scored=()
    compared_done=()
    for kind in ${baseline}; do
        need "${exp}/${kind}/decode${pairs#pairs}/.done" 7
        compared+=(--system "${kind}=${exp}/${kind}/decode${pairs#pairs}/wav.scp")
        compared_scored+=(--outcomes "${kind}=${exp}/${kind}/decode${pairs#pairs}/outcomes" --training "${kind}=$(baseline_training "${kind}")")
        compared_done+=("${exp}/${kind}/decode${pairs#pairs}/.done")
    done
    [ -n "${systems}" ] || return 0
    for word in ${systems}; do
        compared+=(--system "${word}")
        list_files "${word#*=}"
    done >"${results}/.systems"
    compared_done+=("${results}/.systems")
}
