#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables come from Python, below
# The stages of a VALL-E recipe, and the command of each; run.sh calls it with what is particular to a corpus.
# Options and their defaults: ./valle.sh --help. Names, checks and what follows from options: espnet2_valle/recipe/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
options=("$@")

# shellcheck source=utils/setup_env.sh
. utils/setup_env.sh
case " $* " in *" --help "* | *" -h "*) bare_recipe help && exit ;; esac
extras=$(bare_recipe extras -- "$@") # wrong options end here, before anything is installed
# shellcheck source=path.sh
. ./path.sh
# shellcheck source=cmd.sh
. ./cmd.sh
# shellcheck source=utils/steps.sh
. utils/steps.sh
# shellcheck source=utils/baseline.sh
. utils/baseline.sh
settings=$(ask settings)
eval "${settings}"
export PYTHON=${python:-${PYTHON}}
trap end_stage EXIT

if [ -n "${train_share}" ]; then mkdir -p "${exp}" && ln -sfn "../${tag}/codec" "${exp}/codec"; fi
if [ -n "${init_model}" ]; then
    diffusion=()
    [ "${model}" != ns2 ] || diffusion=(--model ns2)
    step "${base}/.done" "${base}/options" ${init_model_done[@]+"${init_model_done[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.finetune_base --model_tag "${init_model}" --config "${finetune_config}" --output_dir "${base}" \
        ${diffusion[@]+"${diffusion[@]}"}
    settings=$(ask settings) # with what that model asks for
    eval "${settings}"
    echo "fine-tuning ${init_model}: ${fs} Hz, ${text_options[*]}"
fi
if "${loads_scorers}"; then
    echo "loading the models of ${score_config}"
    recipe scorers "${score_config}"
fi

# prepare CORPUS DB FOLDER TEST_SET DOWNLOAD [OPTION...]: FOLDER gets the data directories of a corpus.
prepare() {
    local corpus=$1 db=$2 folder=$3 test_set=$4 download=$5 command
    shift 5
    command=(local/data.sh --corpus "${corpus}" ${db:+--db "${db}"} --output_dir "${folder}" --nj "${nj}" "$@")
    # By itself, and before the corpus is listed: the step below is done again when the list is another.
    if "${download}"; then "${command[@]}" --download only; fi
    mkdir -p "${folder}"
    recipe list ${db:+"${db}"} >"${folder}/.corpus"
    step "${folder}/.done" "${folder}/${test_set}/pairs" "${folder}/.corpus" -- "${command[@]}"
}

if wanted 1; then
    begin_stage 1 data
    eval "${preparations}"
    if [ ${#parts[@]} -gt 0 ]; then
        step "${data}/.done" "${data}/${test_sets}/pairs" "${part_done[@]}" -- \
            "${PYTHON}" -m espnet2_valle.bin.combine_data "${parts[@]}" --output_dir "${data}"
    fi
fi

if wanted 2; then
    begin_stage 2 format
    for set in ${recorded_set} ${valid_set} ${test_sets}; do
        step "${raw}/${set}/.done" "${raw}/${set}/wav.scp" "${data}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.format_data --data_dir "${data}/${set}" --output_dir "${raw}/${set}" \
            --fs "${fs}" --min_duration "${min_duration}" --max_duration "${max_duration}" --max_bad "${max_bad}" "${workers[@]}"
    done
    if [ -n "${speed_perturb_factors}" ]; then
        step "${raw}/${voiced_set}/.done" "${raw}/${voiced_set}/wav.scp" "${raw}/${recorded_set}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.perturb_speed --data_dir "${raw}/${recorded_set}" \
            --recorded_dir "${data}/${recorded_set}" --output_dir "${raw}/${voiced_set}" --factors "${speed_perturb_factors}" --nj "${nj}"
    fi
    if [ -n "${read_aloud}" ]; then
        step "${raw}/${train_set}/.done" "${raw}/${train_set}/wav.scp" "${raw}/${voiced_set}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.read_aloud --data_dir "${raw}/${voiced_set}" --output_dir "${raw}/${train_set}" \
            --sentences "${read_aloud}" ${read_aloud_config:+--config "${read_aloud_config}"} --nj "${nj}"
    fi
fi

if wanted 3; then
    begin_stage 3 text
    list_from=
    if [ -n "${init_model}" ]; then
        mkdir -p "${token}"
        "${add_tokens}" || cp "${base}/tokens.txt" "${token}/tokens.txt"
        rm -f "${token}/text_reading"
        [ ! -f "${base}/text_reading" ] || cp "${base}/text_reading" "${token}/text_reading"
        [ "${token_type}" != bpe ] || cp "${base}/bpe.model" "${token}/bpe.model"
        list_from=${base}/.done
    fi
    for set in ${sets}; do # the training set first: the token list is made from it
        unknown=(--max_unknown 1)
        [ "${set}" != "${train_set}" ] || unknown=(--max_unknown "${max_unknown}")
        if "${add_tokens}" && [ "${set}" = "${train_set}" ]; then unknown+=(--add_tokens true --base_token_list "${base}/tokens.txt"); fi
        step "${token}/${set}/.done" "${token}/${set}/token_int" "${raw}/${set}/.done" ${list_from:+"${list_from}"} -- \
            "${PYTHON}" -m espnet2_valle.bin.tokenize_text --data_dir "${raw}/${set}" --output_dir "${token}/${set}" \
            --token_list "${token}/tokens.txt" --write_token_list "$([ -n "${list_from}" ] && echo false || echo true)" \
            "${text_options[@]}" --nbpe "${nbpe}" --max_bad "${max_bad}" "${workers[@]}" "${unknown[@]}"
        list_from=${token}/${train_set}/.done
    done
fi

# make_index SET FOLDER [OPTION...]: FOLDER gets the training index of SET.
edges_from=
make_index() {
    local set=$1 folder=$2 languages="" emotions="" styled=()
    shift 2
    [ ! -f "${raw}/${set}/utt2lang" ] || languages=${raw}/${set}/utt2lang
    [ ! -f "${raw}/${set}/utt2emo" ] || emotions=${raw}/${set}/utt2emo
    if "${measure_style}"; then
        step "${style}/${set}/.done" "${style}/${set}/utt2style" "${raw}/${set}/.done" "${token}/${set}/.done" \
            ${edges_from:+"${edges_from}"} -- \
            "${PYTHON}" -m espnet2_valle.bin.measure_style --data_dir "${raw}/${set}" --token_int "${token}/${set}/token_int" \
            --edges "${style}/edges.yaml" --fit "$([ -n "${edges_from}" ] && echo false || echo true)" \
            --output_dir "${style}/${set}" "${workers[@]}"
        styled=("${style}/${set}/.done")
    fi
    local timed=()
    [ "${model}" != ns2 ] || timed=("${timing}/${set}/.done")
    step "${folder}/.done" "${folder}/index.json" "${codes}/${set}/.done" "${token}/${set}/.done" ${timed[@]+"${timed[@]}"} ${styled[@]+"${styled[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.build_index --codes_dir "${codes}/${set}" --token_int "${token}/${set}/token_int" \
        --utt2spk "${raw}/${set}/utt2spk" ${languages:+--utt2lang "${languages}"} ${emotions:+--utt2emo "${emotions}"} \
        ${styled[@]+--utt2style "${style}/${set}/utt2style"} --output_dir "${folder}" \
        ${timed[@]+--only "${timing}/${set}/timing.scp"} "$@"
}

# time_frames: the token and the pitch of each frame of the sets that a diffusion model learns from; the training set first, to which
# the aligner is fitted.
time_frames() {
    local set listener=() fitted=()
    if "${align_phones}"; then
        train_recogniser "${exp}/phones" "${phone_chooser_config}" -- "${phone_options[@]}"
        listener=(--judge_dir "${exp}/phones")
    fi
    for set in ${train_set} ${valid_set}; do
        step "${timing}/${set}/.done" "${timing}/${set}/timing.scp" "${codes}/${set}/.done" "${token}/${set}/.done" \
            ${fitted[@]+"${fitted[@]}"} -- \
            "${PYTHON}" -m espnet2_valle.bin.time_frames --codec_config "${exp}/codec/codec.yaml" --codes_dir "${codes}/${set}" \
            --wav_scp "${raw}/${set}/wav.scp" --token_int "${token}/${set}/token_int" --token_list "${token}/tokens.txt" \
            --aligner "${aligner}" ${listener[@]+"${listener[@]}"} ${textgrids:+--textgrids "${textgrids}"} \
            --output_dir "${timing}/${set}" --max_bad "${max_bad}" "${workers[@]}" \
            --fit "$([ "${set}" = "${train_set}" ] && echo true || echo false)"
        fitted=("${aligner}")
    done
}

# train_recogniser DIR CONFIG [VOCABULARY] -- [OPTION...]: one of words or phones, from the recordings.
train_recogniser() {
    local dir=$1 config=$2 vocabulary=
    shift 2
    if [ "$1" != -- ]; then vocabulary=$1 && shift; fi
    shift
    train "${dir}" "${dir}" "${config}" "${raw}/${recorded_set}/.done" "${raw}/${valid_set}/.done" ${vocabulary:+"${vocabulary}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.judge_train --train_dir "${raw}/${recorded_set}" --valid_dir "${raw}/${valid_set}" \
        --config "${config}" --output_dir "${dir}" "$@"
}

# train_label_recogniser LABEL CONFIG: it is in EXP/LABEL, and scoring is told of it.
train_label_recogniser() {
    local label=$1 config=$2
    train "${exp}/${label}" "${exp}/${label}/${label}.done" "${config}" "${raw}/${recorded_set}/.done" "${raw}/${valid_set}/.done" -- \
        "${PYTHON}" -m "espnet2_valle.bin.${label}_train" --train_dir "${raw}/${recorded_set}" --valid_dir "${raw}/${valid_set}" \
        --config "${config}" --output_dir "${exp}/${label}"
    heard_by+=("--${label}_recognizer" "${exp}/${label}")
    heard_done+=("${exp}/${label}/.done")
}

if wanted 4; then
    begin_stage 4 codec
    trained=(--keep_for "${exp}/ar" --keep_for "${exp}/nar" --keep_for "${exp}/ns2")
    if [ -n "${init_model}" ]; then
        step "${trained[@]}" "${exp}/codec/.done" "${exp}/codec/codec.yaml" "${base}/.done" -- cp -R "${base}/codec" "${exp}"
    else
        step "${trained[@]}" "${exp}/codec/.done" "${exp}/codec/codec.yaml" "${raw}/${voiced_set}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.codec_fit --codec "${codec}" \
            ${codec_config:+--config "${codec_config}"} ${codec_model:+--codec_model "${codec_model}"} \
            --wav_scp "${raw}/${voiced_set}/wav.scp" --output_dir "${exp}/codec" "${workers[@]}"
    fi
    ask codec_rate
    for set in ${sets}; do
        step "${codes}/${set}/.done" "${codes}/${set}/codes.scp" "${raw}/${set}/.done" "${token}/${set}/.done" "${exp}/codec/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.codec_tokenize --codec_config "${exp}/codec/codec.yaml" \
            --wav_scp "${raw}/${set}/wav.scp" --only "${token}/${set}/token_int" --output_dir "${codes}/${set}" \
            ${shard_size:+--shard_size "${shard_size}"} --max_bad "${max_bad}" --device "${device}" --batch_size "${batch_size}" "${workers[@]}"
    done
    if [ "${model}" = ns2 ]; then time_frames; fi
    edges_from= # the training set first: edges of styles are made from it
    for set in ${train_set} ${valid_set}; do
        make_index "${set}" "${index}/${set}"
        edges_from=${style}/${train_set}/.done
    done
fi

launch=(--ngpu "${ngpu}" --num_nodes "${num_nodes}" --cmd "${train_cmd}")

# train_model KIND CONFIG [OPTION...]: the AR or the NAR model.
train_model() {
    local kind=$1 config=$2 dir=${exp}/$1 valid_index=${index}/${valid_set}
    shift 2
    [ -z "${train_share}" ] || make_index "${train_set}" "${train_index}" --share "${train_share}"
    train "${launch[@]}" "${dir}" "${dir}/${inference_model}" "${exp}/codec/codec.yaml" "${token}/tokens.txt" \
        "${train_index}/index.json" "${train_index}/frames.npy" "${train_index}/tokens.npy" \
        "${valid_index}/index.json" "${valid_index}/frames.npy" "${valid_index}/tokens.npy" ${init_model:+"${base}/${kind}.pth"} -- \
        "${PYTHON}" -m espnet2_valle.bin.valle_train --valle "${kind}" --config "${config}" \
        --codec_config "${exp}/codec/codec.yaml" --token_list "${token}/tokens.txt" "${text_options[@]}" \
        ${join_seconds:+--join_seconds "${join_seconds}"} --output_dir "${dir}" --resume true \
        --train_data_path_and_name_and_type "${train_index},index,valle_index" \
        --valid_data_path_and_name_and_type "${valid_index},index,valle_index" \
        ${init_model:+--init_param "${base}/${kind}.pth"} "$@"
}

# train_ns2 CONFIG [OPTION...]: the diffusion model.
train_ns2() {
    local config=$1 dir=${exp}/ns2 valid_index=${index}/${valid_set}
    shift
    [ -z "${train_share}" ] || make_index "${train_set}" "${train_index}" --share "${train_share}"
    train "${launch[@]}" "${dir}" "${dir}/${inference_model}" "${exp}/codec/codec.yaml" "${token}/tokens.txt" "${aligner}" \
        "${train_index}/index.json" "${train_index}/frames.npy" "${train_index}/tokens.npy" \
        "${valid_index}/index.json" "${valid_index}/frames.npy" "${valid_index}/tokens.npy" ${init_model:+"${base}/ns2.pth"} -- \
        "${PYTHON}" -m espnet2_valle.bin.ns2_train --config "${config}" \
        --codec_config "${exp}/codec/codec.yaml" --token_list "${token}/tokens.txt" "${text_options[@]}" \
        --aligner "${aligner}" --output_dir "${dir}" --resume true \
        --train_data_path_and_name_and_type "${train_index},index,valle_index" \
        --train_data_path_and_name_and_type "${timing}/${train_set},timing,timing" \
        --valid_data_path_and_name_and_type "${valid_index},index,valle_index" \
        --valid_data_path_and_name_and_type "${timing}/${valid_set},timing,timing" \
        ${init_model:+--init_param "${base}/ns2.pth"} "$@"
}

if wanted 5; then
    begin_stage 5 "${training_stages%%,*}"
    if [ "${model}" = ns2 ]; then
        train_ns2 "${ns2_config}" ${ns2_options[@]+"${ns2_options[@]}"}
    else
        train_model ar "${ar_config}" ${ar_options[@]+"${ar_options[@]}"}
    fi
fi

if wanted 6 && [ "${model}" != ns2 ]; then
    begin_stage 6 train_nar
    train_model nar "${nar_config}" ${nar_options[@]+"${nar_options[@]}"}
fi
if wanted 6 && [ -n "${baseline}" ]; then
    [ "${model}" != ns2 ] || begin_stage 6 train_baselines
    train_baselines
fi

if wanted 7; then
    begin_stage 7 decode
    chooser=
    if "${phone_chooser}"; then
        train_recogniser "${exp}/phones" "${phone_chooser_config}" -- "${phone_options[@]}"
        chooser=${exp}/phones
    fi
    step "${decode}/.done" "${decode}/wav.scp" "${raw}/${test_sets}/.done" ${model_done[@]+"${model_done[@]}"} ${chooser:+"${chooser}/.done"} -- \
        "${PYTHON}" -m espnet2_valle.bin.valle_inference --config "${inference_config}" "${model_options[@]}" \
        --pairs "${raw}/${test_sets}/${pairs}" --data_dir "${raw}/${test_sets}" --output_dir "${decode}" \
        "${inference_workers[@]}" --device "${device}" --batch_size "${batch_size}" ${inference_options[@]+"${inference_options[@]}"} \
        ${chooser:+--chooser phones --chooser_conf "judge_dir=${chooser}"}
    step "${resynthesis}/.done" "${resynthesis}/wav.scp" "${raw}/${test_sets}/.done" ${codec_done[@]+"${codec_done[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.codec_resynthesize "${codec_options[@]}" \
        --wav_scp "${raw}/${test_sets}/wav.scp" --pairs "${raw}/${test_sets}/${pairs}" \
        --output_dir "${resynthesis}" --device "${device}" --batch_size "${batch_size}" "${inference_workers[@]}"
    [ -z "${baseline}" ] || decode_baselines
fi

# What others gave is listed anew: the steps below are done again when the list is another.
list_others() { [ -z "${systems}" ] || recipe list "${compared_paths[@]}" >"${results}/.systems"; }

if wanted 8; then
    begin_stage 8 score
    prompts= # resynthesised by earlier versions, a run has none
    [ ! -f "${resynthesis}/prompts.scp" ] || prompts=${resynthesis}/prompts.scp
    vocabulary=
    if [ -f "${data}/vocabulary" ]; then
        vocabulary=${data}/vocabulary
        train_recogniser "${exp}/judge" "${judge_config}" "${vocabulary}" --
    fi
    heard_by=() heard_done=()
    ! "${emotion_recognizer}" || train_label_recogniser emotion "${emotion_config}"
    ! "${language_recognizer}" || train_label_recogniser language "${language_config}"
    list_others
    step "${results}/.done_score" "${results}/scores.json" "${decode}/.done" "${resynthesis}/.done" \
        ${vocabulary:+"${exp}/judge/.done"} ${heard_done[@]+"${heard_done[@]}"} ${compared_done[@]+"${compared_done[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.score --pairs "${raw}/${test_sets}/${pairs}" --data_dir "${raw}/${test_sets}" \
        --system "codec=${resynthesis}/wav.scp" --system "${model}=${decode}/wav.scp" ${compared[@]+"${compared[@]}"} \
        --training "${model}=${training_stages}" ${compared_scored[@]+"${compared_scored[@]}"} \
        --config "${score_config}" ${prompts:+--prompt_resynthesis "${prompts}"} --outcomes "${model}=${decode}/outcomes" \
        ${vocabulary:+--judge "${exp}/judge" --vocabulary "${vocabulary}"} ${heard_by[@]+"${heard_by[@]}"} --stage_times "${stage_times}" \
        --output_dir "${results}" --max_bad "${max_bad}" --device "${device}" "${inference_workers[@]}"
    if "${detector}"; then
        train "${results}/detector" "${results}/detector/DETECTOR.md" "${detector_config}" "${raw}/${test_sets}/.done" \
            "${decode}/.done" "${resynthesis}/.done" ${compared_done[@]+"${compared_done[@]}"} -- \
            "${PYTHON}" -m espnet2_valle.bin.detector_train --data_dir "${raw}/${test_sets}" --pairs "${raw}/${test_sets}/${pairs}" \
            --system "codec=${resynthesis}/wav.scp" --system "${model}=${decode}/wav.scp" ${compared[@]+"${compared[@]}"} \
            --config "${detector_config}" --output_dir "${results}/detector" "${inference_workers[@]}"
    fi
fi

if wanted 9; then
    begin_stage 9 report
    list_others
    listened=("${exp}"/listening/*/listening.json) # the pattern itself where there is none
    [ -f "${listened[0]}" ] || listened=()
    step "${results}/.done_report" "${results}/report.html" "${results}/.done_score" ${listened[@]+"${listened[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.report --exp_dir "${exp}" --score_dir "${results}" \
        --pairs "${raw}/${test_sets}/${pairs}" --data_dir "${raw}/${test_sets}" \
        --system "codec=${resynthesis}/wav.scp" --system "${model}=${decode}/wav.scp" --outcomes "${decode}/outcomes" \
        --inference_model "${inference_model}" --demo "${results}/demo" ${compared[@]+"${compared[@]}"}
fi

if wanted 10; then
    begin_stage 10 pack
    known=() scored=()
    [ ! -f "${train_index}/index.json" ] || known+=(--train_index "${train_index}")
    [ "${train_set}" = "${recorded_set}" ] || known+=(--augmented true)
    if [ -f "${results}/.done_score" ]; then
        known+=(--scores "${results}/scores.json") scored=("${results}/.done_score")
    fi
    step "${pack_done}" "${packed}" "${model_done[@]}" "${exp}/codec/.done" \
        ${scored[@]+"${scored[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.pack "${model_options[@]}" --output "${packed}" --name "${tag}" \
        --corpus "${corpus}" ${known[@]+"${known[@]}"} ${init_model:+--base_model "${init_model}"} \
        ${card_config:+--card_config "${card_config}"}
fi

if wanted 11; then
    begin_stage 11 upload
    "${PYTHON}" -m espnet2_valle.bin.upload --model_tag "${packed}" --hf_repo "${hf_repo}"
fi

ask results
