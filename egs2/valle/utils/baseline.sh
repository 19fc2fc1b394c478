#!/usr/bin/env bash
# shellcheck disable=SC2154  # valle.sh sets what is used here
# Sourced by valle.sh: ESPnet's own TTS systems, trained on the run's data, say the run's pairs.

# embed SET FOLDER [OPTION...]: FOLDER gets the speaker embeddings of SET.
embed() {
    local set=$1 folder=$2
    shift 2
    step "${folder}/.done" "${folder}/spembs.scp" "${raw}/${set}/.done" -- \
        "${PYTHON}" -m espnet2_valle.bin.speaker_embed --wav_scp "${raw}/${set}/wav.scp" --device "${device}" "$@"
}

# train_baselines: part of stage 6.
train_baselines() {
    local set kind
    begin_stage 6 baseline_data
    for set in ${sets}; do embed "${set}" "${spembs}/${set}" --output_dir "${spembs}/${set}" "${workers[@]}"; done
    for kind in "${baselines_trained[@]}"; do train_baseline "${kind}"; done
}

# train_baseline KIND: durations by its teacher if it needs them, statistics, training.
train_baseline() {
    local kind=$1 dir=${exp}/$1 set teacher minutes command done_files=() files=("${token}/tokens.txt")
    begin_stage 6 baseline_data
    teacher=$(recipe teacher "${kind}")
    for set in ${train_set} ${valid_set}; do
        done_files+=("${raw}/${set}/.done" "${token}/${set}/.done")
        files+=("${raw}/${set}/wav.scp" "${token}/${set}/token_int")
        [ -n "${teacher}" ] || continue
        step "${durations}/${set}/.done" "${durations}/${set}/durations" "${exp}/${teacher}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.baseline_durations --train_config "${exp}/${teacher}/config.yaml" \
            --model_file "${exp}/${teacher}/$(recipe model_file "${teacher}")" --wav_scp "${raw}/${set}/wav.scp" \
            --token_int "${token}/${set}/token_int" --spembs "${spembs}/${set}/spembs.scp" --output_dir "${durations}/${set}" --nj "${nj}" --device "${device}"
        done_files+=("${durations}/${set}/.done")
        files+=("${durations}/${set}/durations")
    done
    command=(--kind "${kind}" --config "${baseline_conf}/${kind}.yaml" --raw_dir "${raw}" --token_dir "${token}"
        --spembs_dir "${spembs}" --train_set "${train_set}" --valid_set "${valid_set}" --fs "${fs}" ${teacher:+--durations_dir "${durations}"})
    step --log "${dir}/stats.log" "${dir}/stats/.done" "${dir}/stats/train/text_shape" "${done_files[@]}" -- \
        "${PYTHON}" -m espnet2_valle.bin.baseline_stats "${command[@]}" --output_dir "${dir}/stats" --nj "${nj}"
    begin_stage 6 "train_${kind}"
    minutes=$(ask minutes)
    train "${launch[@]}" "${dir}" "${dir}/$(recipe model_file "${kind}")" "${files[@]}" -- \
        "${PYTHON}" -m espnet2_valle.bin.baseline_train "${command[@]}" --stats_dir "${dir}/stats" --output_dir "${dir}" \
        --train_minutes "${minutes}" ${baseline_options[@]+"${baseline_options[@]}"}
}

# decode_baselines: part of stage 7. The prompt of a continuation is the first 3 seconds.
decode_baselines() {
    local kind dir out prompts=${spembs}/${test_sets}
    if [ "${pairs}" = pairs_continuation ]; then
        prompts+=_beginning
        embed "${test_sets}" "${prompts}" --seconds 3 --output_dir "${prompts}" "${inference_workers[@]}"
    fi
    for kind in ${baseline}; do
        dir=${exp}/${kind}
        out=${dir}/decode${pairs_suffix}
        step "${out}/.done" "${out}/wav.scp" "${raw}/${test_sets}/.done" "${dir}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.baseline_inference --config ../../conf/baseline/decode.yaml \
            --vocoder_config ../../conf/baseline/griffin_lim.yaml --train_config "${dir}/config.yaml" \
            --model_file "${dir}/$(recipe model_file "${kind}")" --pairs "${raw}/${test_sets}/${pairs}" \
            --token_int "${token}/${test_sets}/token_int" --spembs "${prompts}/spembs.scp" \
            --output_dir "${out}" --nj "${inference_nj}" --device "${device}"
    done
}
