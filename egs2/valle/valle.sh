#!/usr/bin/env bash
# The stages of a VALL-E recipe; run.sh calls it with what is particular to a corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# General
stage=1                # first stage
stop_stage=10          # last stage
skip_data_prep=false   # skip stages 1 to 4
skip_train=false       # skip stages 5 and 6
skip_eval=false        # skip stages 7 to 9
skip_upload_hf=true    # there is no upload yet
ngpu=0                 # GPUs a node for training; 0 trains on the CPU
num_nodes=1            # nodes for training
nj=                    # workers of the data stages; default: one a core, as far as memory goes
inference_nj=          # workers of decoding and scoring; default: nj
cluster=               # where workers run, ../../conf/cluster/*.yaml; default: processes of this machine
gpu_inference=false    # decode on a GPU
datadir=data           # where the corpus is described
dumpdir=dump           # where formatted data goes
expdir=exp             # where models and results go
python=                # default: the environment that path.sh chooses

# Data
corpus=mini            # local/${corpus}.sh prepares it
db=                    # folder of the corpus, if it has one
tag=mini               # name of the run
download=false         # fetch the corpus into db first, unless it is there
local_data_opts=       # more options of local/${corpus}.sh
train_set=train
valid_set=valid
test_sets="test"       # one
pairs=pairs            # its list: pairs, or pairs_continuation where the corpus has one (LibriSpeech)
fs=24000               # Hz; the codec's rate
min_duration=0.3       # seconds
max_duration=20        # seconds
speed_perturb_factors= # such as "0.9 1.1": the training set gets copies at these speeds, as voices of their own
read_aloud=            # sentences that espeak-ng's voices read, added to the training set: 6000 for one that is too small to learn reading from
read_aloud_config=     # voices and sentences; default: ../../conf/read_aloud.yaml (English)
max_bad=0.01           # share of unusable sound files and texts that is left out with a warning

# Text
token_type=phn         # phn, char or bpe
g2p=espeak_ng_english_us_vits
cleaner=none
nbpe=500               # pieces, for bpe

# Codec
codec=world            # world, encodec or espnet
codec_config=          # default: ../../conf/codec/${codec}.yaml if there is one
codec_model=           # weights of a trained codec

# Training
join_seconds=8         # longest training utterance made by joining two of a speaker; 0 makes none
model_size=mini        # mini, base or paper: chooses the two configs
ar_config=             # default: ../../conf/train_ar_${model_size}.yaml
nar_config=            # default: ../../conf/train_nar_${model_size}.yaml
train_config=          # one config for both, in place of the two
ar_args=               # options of valle_train, such as "--max_epoch 5"
nar_args=
train_args=            # the same for both
train_share=           # such as 0.25: train once more on that share of the training set, in exp/NAME_SHARE (stages 5 and 6 alone)
init_model=            # fine-tune this packed model (zip or model-zoo name); its codec and way of reading texts are used
finetune_config=       # how; default: ../../conf/finetune_lora.yaml
judge_config=          # of the recogniser that scores closed vocabularies
score_config=          # judges, protocol and figures: conf/score/*.yaml

# Systems to compare with
baseline=              # of ESPnet's own TTS, trained here: "vits tacotron2 fastspeech2", one or more
baseline_conf=         # folder of their configs; default: ../../conf/baseline/mini, or full for larger model sizes
baseline_minutes=      # that each is trained; default: what VALL-E's two models took; 0: to the end of its config
baseline_args=         # options of ESPnet's training for them, such as "--max_epoch 5"
systems=               # others' outputs for the same pairs: "NAME=FOLDER NAME=FOLDER", sound files named by pair

# Decoding
inference_config=../../conf/decode.yaml
inference_args=        # options of valle_inference, such as "--top_p 0.9"
phone_chooser=false    # train a recogniser of phones, which chooses among the candidates of --inference_args "--best_of 8"
phone_chooser_config=../../conf/judge/train_asr_ctc_phones.yaml
inference_tag=         # results go to exp/NAME/decode_TAG instead of exp/NAME
inference_model=valid.loss.ave.pth
download_model=        # decode with this packed model (zip or model-zoo name) and its codec; stages 3 to 6 and 10 are left out

help_message="usage: ./valle.sh [--option value] ...     (run.sh chooses --corpus, --tag and --db)
stages: 1 data, 2 format, 3 text, 4 codec, 5 train AR, 6 train NAR, 7 decode, 8 score, 9 report, 10 pack
options and their defaults:
$(sed -n '/^# General/,/^help_message/{/^[a-z0-9_]*=/{/^help_message/d;s/^/  --/;s/=/ /;s/"//g;p;};}' valle.sh)"

# shellcheck source=utils/parse_options.sh
. utils/parse_options.sh
[ $# -eq 0 ] || { echo "error: $0: unexpected argument '$1'. See $0 --help" >&2 && exit 2; }
# shellcheck source=utils/steps.sh
. utils/steps.sh
# shellcheck source=utils/baseline.sh
. utils/baseline.sh
# shellcheck source=utils/judges.sh
. utils/judges.sh
for option in stage stop_stage ngpu num_nodes fs nbpe; do
    [[ ${!option} =~ ^[0-9]+$ ]] || die "--${option}: '${!option}' is not a whole number"
done
[[ ${read_aloud:-1} =~ ^[1-9][0-9]*$ ]] || die "--read_aloud: '${read_aloud}' is not a number of sentences. Give such as 6000"
[[ ${tag} =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "--tag: '${tag}' cannot name a folder. Use letters, digits, '.', '_' and '-'"
[[ ${test_sets} != *\ * ]] || die "--test_sets: '${test_sets}': a run has one test set. Give other sets a run with a --tag of their own"
[ "${skip_upload_hf}" = true ] || die "--skip_upload_hf: there is no upload stage yet; upload exp/${tag}/model.zip by hand"
[ -z "${codec_model}" ] || [ -z "${init_model}${download_model}" ] ||
    die "--codec_model: a packed model has its codec in it. Leave it out with --init_model and --download_model"
[ -f "local/${corpus}.sh" ] || die "--corpus: there is no local/${corpus}.sh"

# shellcheck source=path.sh
. ./path.sh
# shellcheck source=cmd.sh
. ./cmd.sh
PYTHON=${python:-${PYTHON}}
export PYTHON
nj=${nj:-$("${PYTHON}" -c "from espnet2_valle.common.machine import workers; print(workers())")}
inference_nj=${inference_nj:-${nj}}
[ -z "${init_model}" ] || [ -z "${ar_config}${nar_config}${train_config}" ] ||
    die "--init_model: gives the models their shape; give --finetune_config in place of --ar_config, --nar_config and --train_config"
finetune_config=${finetune_config:-../../conf/finetune_lora.yaml}
workers=(--nj "${nj}" ${cluster:+--cluster "${cluster}"})
inference_workers=(--nj "${inference_nj}" ${cluster:+--cluster "${cluster}"})
ar_config=${ar_config:-${train_config:-../../conf/train_ar_${model_size}.yaml}}
nar_config=${nar_config:-${train_config:-../../conf/train_nar_${model_size}.yaml}}
judge_config=${judge_config:-../../conf/judge/train_asr_ctc.yaml}
chosen_score_config=${score_config}
if [ "${pairs}" != pairs ]; then
    inference_tag=${inference_tag:-${pairs#pairs_}}
    score_config=${score_config:-../../conf/score/${pairs#pairs_}.yaml}
fi
score_config=${score_config:-../../conf/score/default.yaml}
if [ -z "${codec_config}" ] && [ -f "../../conf/codec/${codec}.yaml" ]; then codec_config=../../conf/codec/${codec}.yaml; fi
for file in "${ar_config}" "${nar_config}" "${inference_config}" "${judge_config}" "${score_config}" "${finetune_config}" "${phone_chooser_config}" ${codec_config:+"${codec_config}"} ${cluster:+"${cluster}"}; do
    [ -f "${file}" ] || die "${file}: no such config (relative to $(pwd))"
done
baseline_conf=${baseline_conf:-../../conf/baseline/$([ "${model_size}" = mini ] && echo mini || echo full)}
check_baselines
check_systems
if "${phone_chooser}"; then check_candidates; fi
[ -z "${download_model}" ] || skip_train=true
[ -n "${train_set}" ] || [ -n "${download_model}" ] || [ "${stop_stage}" -le 2 ] ||
    die "--corpus ${corpus}: has a test set only. Name a packed model to score on it with --download_model"

data=${datadir}/${tag}
raw=${dumpdir}/${tag}/raw
token=${dumpdir}/${tag}/token
codes=${dumpdir}/${tag}/codec
index=${dumpdir}/${tag}/index # what training reads: where the codes and token ids of each utterance lie
recorded_set=${train_set} # with speed perturbation, training reads it with its copies: ${train_set}_sp
[ -z "${speed_perturb_factors}" ] || train_set=${train_set}_sp
voiced_set=${train_set} # without what espeak-ng reads; the codec is fitted on it
[ -z "${read_aloud}" ] || train_set=${train_set}_ra
spembs=${dumpdir}/${tag}/spembs
durations=${dumpdir}/${tag}/durations
exp=${expdir}/${tag}
share_index=
if [ -n "${train_share}" ]; then # all but the two models is the run's
    [[ ${train_share} =~ ^0?\.[0-9]*[1-9][0-9]*$ ]] || die "--train_share: '${train_share}' is not a number between 0 and 1"
    [ -f "${exp}/codec/.done" ] || die "--train_share: ${exp} has no codec yet. Run stages 1 to 4 without --train_share first"
    [ -z "${baseline}" ] || die "--train_share: is for VALL-E's two models. Leave out --baseline"
    skip_data_prep=true
    if [ "${stage}" -lt 5 ]; then stage=5; fi
    if [ "${stop_stage}" -gt 6 ]; then stop_stage=6; fi
    mkdir -p "${exp}_${train_share}"
    ln -sfn "../${tag}/codec" "${exp}_${train_share}/codec"
    exp=${exp}_${train_share}
    share_index=${index}/${train_set}_${train_share}
fi
decode=${exp}/decode${inference_tag:+_${inference_tag}}
resynthesis=${exp}/resynthesis${pairs#pairs}
results=${exp}
[ -z "${inference_tag}" ] || results=${decode}
stage_times=${exp}/stage_times
base=${exp}/base
sets="${train_set} ${valid_set} ${test_sets}"
trap end_stage EXIT
setup_seconds=${root}/.venv/.setup_seconds
if [ -f "${setup_seconds}" ] && ! grep -qs '^setup ' "${stage_times}"; then add_time setup "$(cat "${setup_seconds}")"; fi
if [ -n "${init_model}" ]; then
    packed=()
    if [ -f "${init_model}" ]; then packed=("${init_model}"); fi
    step "${base}/.done" "${base}/options" ${packed[@]+"${packed[@]}"} -- "${PYTHON}" -m espnet2_valle.bin.finetune_base \
        --model_tag "${init_model}" --config "${finetune_config}" --output_dir "${base}"
    while read -r name value; do printf -v "${name}" '%s' "${value}"; done <"${base}/options"
    log "fine-tuning ${init_model}: ${fs} Hz, --token_type ${token_type} --g2p ${g2p} --cleaner ${cleaner}"
fi
text_options=(--token_type "${token_type}" --g2p "${g2p}" --cleaner "${cleaner}")
[ "${token_type}" != bpe ] || text_options+=(--bpemodel "${token}/bpe.model")

# wanted NUMBER: this stage was asked for.
wanted() { [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ]; }

# list_files PATH: the file, or every file of the folder, with size and time, so that what changed is done again.
list_files() {
    if [ -f "$1" ]; then
        cat "$1"
        return
    fi
    "${PYTHON}" - "$1" <<'PYTHON'
import os, sys
for folder, folders, files in os.walk(sys.argv[1], followlinks=True):
    folders.sort()
    for path in (os.path.join(folder, name) for name in sorted(files)):
        if os.path.exists(path):
            print(path, os.stat(path).st_size, os.stat(path).st_mtime_ns)
PYTHON
}

# launch_training DIR COMMAND...: on this machine's CPU or GPU, or through ESPnet's launcher on several GPUs.
launch_training() {
    local dir=$1
    shift
    if [ "${ngpu}" -le 1 ] && [ "${num_nodes}" -le 1 ]; then
        run_logged "${dir}/train.log" "$@" --ngpu "${ngpu}"
        return
    fi
    "${PYTHON}" -m espnet2.bin.launch --cmd "${train_cmd}" --log "${dir}/train.log" --ngpu "${ngpu}" \
        --num_nodes "${num_nodes}" --init_file_prefix "${dir}/.dist_init_" --multiprocessing_distributed true -- "$@"
}

# make_index SET FOLDER [OPTION...]: FOLDER gets the training index of SET.
make_index() {
    local set=$1 folder=$2 languages=()
    shift 2
    [ ! -f "${raw}/${set}/utt2lang" ] || languages=(--utt2lang "${raw}/${set}/utt2lang")
    step "${folder}/.done" "${folder}/index.json" "${codes}/${set}/.done" "${token}/${set}/.done" -- \
        "${PYTHON}" -m espnet2_valle.bin.build_index --codes_dir "${codes}/${set}" --token_int "${token}/${set}/token_int" \
        --utt2spk "${raw}/${set}/utt2spk" ${languages[@]+"${languages[@]}"} --output_dir "${folder}" "$@"
}

# train_model KIND CONFIG ARGS: stages 5 and 6.
train_model() {
    local kind=$1 config=$2 dir=${exp}/$1 set split name folder command more=() inputs=("${exp}/codec/codec.yaml" "${token}/tokens.txt")
    read -ra more <<<"${train_args} $3"
    command=("${PYTHON}" -m espnet2_valle.bin.valle_train --valle "${kind}" --config "${config}"
        --codec_config "${exp}/codec/codec.yaml" --token_list "${token}/tokens.txt" "${text_options[@]}"
        --join_seconds "${join_seconds}" --output_dir "${dir}" --resume true)
    for set in "train ${train_set}" "valid ${valid_set}"; do
        read -r split name <<<"${set}"
        need "${token}/${name}/.done" 3
        need "${index}/${name}/.done" 4
        folder=${index}/${name}
        if [ "${split}" = train ] && [ -n "${share_index}" ]; then
            folder=${share_index}
            make_index "${name}" "${folder}" --share "${train_share}"
        fi
        inputs+=("${folder}/index.json" "${folder}/frames.npy" "${folder}/tokens.npy")
        command+=("--${split}_data_path_and_name_and_type" "${folder},index,valle_index")
    done
    if [ -n "${init_model}" ]; then
        inputs+=("${base}/${kind}.pth")
        command+=(--init_param "${base}/${kind}.pth")
    fi
    command+=(${more[@]+"${more[@]}"})
    start_training "${dir}" "${inputs[@]}" -- "${command[@]}"
    step "${dir}/.done" "${dir}/${inference_model}" "${dir}/.started" -- launch_training "${dir}" "${command[@]}"
}

# scores_training: models will be trained, and scored after it.
scores_training() {
    { wanted 5 || wanted 6; } && wanted 8 && ! "${skip_train}" && ! "${skip_eval}" &&
        ! { [ -f "${exp}/ar/.done" ] && [ -f "${exp}/nar/.done" ]; }
}

# What the default needs is installed with the recipe.
if [ -n "${chosen_score_config}" ] && scores_training; then
    log "loading the models of ${score_config}"
    load_scorers "${score_config}"
fi

if wanted 1 && ! "${skip_data_prep}"; then
    begin_stage 1 data
    read -ra more <<<"${local_data_opts}"
    prepare=("local/${corpus}.sh" ${db:+--db "${db}"} --output_dir "${data}" --nj "${nj}")
    [ "${corpus}" = mini ] || prepare+=(--max_bad "${max_bad}") # the recordings of mini are made, none is bad
    prepare+=(${more[@]+"${more[@]}"})
    # By itself, and before the corpus is listed: the step below is done again when the list is another.
    if "${download}"; then "${prepare[@]}" --download only; fi
    mkdir -p "${data}"
    { [ -z "${db}" ] || list_files "${db}"; } >"${data}/.corpus"
    step "${data}/.done" "${data}/${test_sets}/pairs" "${data}/.corpus" -- "${prepare[@]}"
    end_stage
fi
if wanted 8 && ! "${skip_eval}"; then check_language "${chosen_score_config}"; fi

if wanted 2 && ! "${skip_data_prep}"; then
    begin_stage 2 format
    need "${data}/.done" 1
    for set in ${recorded_set} ${valid_set} ${test_sets}; do
        step "${raw}/${set}/.done" "${raw}/${set}/wav.scp" "${data}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.format_data --data_dir "${data}/${set}" --output_dir "${raw}/${set}" \
            --fs "${fs}" --min_duration "${min_duration}" --max_duration "${max_duration}" --max_bad "${max_bad}" "${workers[@]}"
    done
    [ -z "${speed_perturb_factors}" ] ||
        step "${raw}/${voiced_set}/.done" "${raw}/${voiced_set}/wav.scp" "${raw}/${recorded_set}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.perturb_speed --data_dir "${raw}/${recorded_set}" \
            --recorded_dir "${data}/${recorded_set}" --output_dir "${raw}/${voiced_set}" --factors "${speed_perturb_factors}" --nj "${nj}"
    [ -z "${read_aloud}" ] ||
        step "${raw}/${train_set}/.done" "${raw}/${train_set}/wav.scp" "${raw}/${voiced_set}/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.read_aloud --data_dir "${raw}/${voiced_set}" --output_dir "${raw}/${train_set}" \
            --sentences "${read_aloud}" ${read_aloud_config:+--config "${read_aloud_config}"} --nj "${nj}"
    end_stage
fi

if wanted 3 && ! "${skip_data_prep}" && [ -z "${download_model}" ]; then
    begin_stage 3 text
    list_from=
    if [ -n "${init_model}" ]; then
        mkdir -p "${token}"
        cp "${base}/tokens.txt" "${token}/tokens.txt"
        [ "${token_type}" != bpe ] || cp "${base}/bpe.model" "${token}/bpe.model"
        list_from=${base}/.done
    fi
    for set in ${sets}; do # the training set first: the token list is made from it
        need "${raw}/${set}/.done" 2
        step "${token}/${set}/.done" "${token}/${set}/token_int" "${raw}/${set}/.done" ${list_from:+"${list_from}"} -- \
            "${PYTHON}" -m espnet2_valle.bin.tokenize_text --data_dir "${raw}/${set}" --output_dir "${token}/${set}" \
            --token_list "${token}/tokens.txt" --write_token_list "$([ -n "${list_from}" ] && echo false || echo true)" \
            "${text_options[@]}" --nbpe "${nbpe}" --max_bad "${max_bad}" "${workers[@]}"
        list_from=${token}/${train_set}/.done
    done
    end_stage
fi

if wanted 4 && ! "${skip_data_prep}" && [ -z "${download_model}" ]; then
    begin_stage 4 codec
    for set in ${sets}; do need "${raw}/${set}/.done" 2; done
    if [ -n "${init_model}" ]; then
        make_codec=("${base}/.done" -- cp -R "${base}/codec" "${exp}")
    else
        make_codec=("${raw}/${voiced_set}/.done" -- "${PYTHON}" -m espnet2_valle.bin.codec_fit --codec "${codec}"
            ${codec_config:+--config "${codec_config}"} ${codec_model:+--codec_model "${codec_model}"}
            --wav_scp "${raw}/${voiced_set}/wav.scp" --output_dir "${exp}/codec" "${workers[@]}")
    fi
    step "${exp}/codec/.done" "${exp}/codec/codec.yaml" "${make_codec[@]}"
    rate=$(codec_rate "${exp}/codec/codec.yaml")
    [ "${rate}" = "${fs}" ] || die "--fs: stage 2 wrote ${fs} Hz and the codec works at ${rate} Hz. Run stages 2 to 4 with --fs ${rate}"
    for set in ${sets}; do
        need "${token}/${set}/.done" 3
        step "${codes}/${set}/.done" "${codes}/${set}/codes.scp" "${raw}/${set}/.done" "${token}/${set}/.done" "${exp}/codec/.done" -- \
            "${PYTHON}" -m espnet2_valle.bin.codec_tokenize --codec_config "${exp}/codec/codec.yaml" \
            --wav_scp "${raw}/${set}/wav.scp" --only "${token}/${set}/token_int" --output_dir "${codes}/${set}" \
            --max_bad "${max_bad}" "${workers[@]}"
    done
    for set in ${train_set} ${valid_set}; do make_index "${set}" "${index}/${set}"; done
    end_stage
fi

if wanted 5 && ! "${skip_train}"; then
    begin_stage 5 train_ar
    train_model ar "${ar_config}" "${ar_args}"
    end_stage
fi

if wanted 6 && ! "${skip_train}"; then
    begin_stage 6 train_nar
    train_model nar "${nar_config}" "${nar_args}"
    end_stage
    [ -z "${baseline}" ] || train_baselines
fi

model_files=()
for kind in ar nar; do
    model_files+=("--${kind}_train_config" "${exp}/${kind}/config.yaml" "--${kind}_model_file" "${exp}/${kind}/${inference_model}")
done
model_files+=(--codec_config "${exp}/codec/codec.yaml")

if wanted 7 && ! "${skip_eval}"; then
    begin_stage 7 decode
    need "${raw}/${test_sets}/.done" 2
    [ -f "${raw}/${test_sets}/${pairs}" ] || die "--pairs: ${raw}/${test_sets} has no list '${pairs}'"
    if [ -n "${download_model}" ]; then
        model=(--model_tag "${download_model}")
        codec_of=("${model[@]}")
        made=()
        if [ -f "${download_model}" ]; then made=("${download_model}"); fi
        codec_done=(${made[@]+"${made[@]}"})
    else
        need "${exp}/codec/.done" 4
        need "${exp}/ar/.done" 5
        need "${exp}/nar/.done" 6
        model=("${model_files[@]}")
        codec_of=(--codec_config "${exp}/codec/codec.yaml")
        made=("${exp}/ar/.done" "${exp}/nar/.done")
        codec_done=("${exp}/codec/.done")
    fi
    read -ra more <<<"${inference_args}"
    if "${phone_chooser}"; then
        train_phone_chooser
        more+=(--chooser phones --chooser_conf "judge_dir=${exp}/phones")
        made+=("${exp}/phones/.done")
    fi
    step "${decode}/.done" "${decode}/wav.scp" "${raw}/${test_sets}/.done" ${made[@]+"${made[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.valle_inference --config "${inference_config}" "${model[@]}" \
        --pairs "${raw}/${test_sets}/${pairs}" --data_dir "${raw}/${test_sets}" --output_dir "${decode}" \
        "${inference_workers[@]}" --device "$("${gpu_inference}" && echo cuda || echo cpu)" ${more[@]+"${more[@]}"}
    step "${resynthesis}/.done" "${resynthesis}/wav.scp" "${raw}/${test_sets}/.done" ${codec_done[@]+"${codec_done[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.codec_resynthesize "${codec_of[@]}" \
        --wav_scp "${raw}/${test_sets}/wav.scp" --pairs "${raw}/${test_sets}/${pairs}" \
        --output_dir "${resynthesis}" "${inference_workers[@]}"
    decode_baselines
    end_stage
fi

if wanted 8 && ! "${skip_eval}"; then
    begin_stage 8 score
    need "${decode}/.done" 7
    need "${resynthesis}/.done" 7
    prompts=() # resynthesised by earlier versions, a run has none
    if [ -f "${resynthesis}/prompts.scp" ]; then prompts=(--prompt_resynthesis "${resynthesis}/prompts.scp"); fi
    judge=()
    judge_done=()
    if [ -f "${data}/vocabulary" ]; then
        train_recogniser "${exp}/judge" "${judge_config}" "${data}/vocabulary" --
        judge=(--judge "${exp}/judge" --vocabulary "${data}/vocabulary")
        judge_done=("${exp}/judge/.done")
    fi
    compared_systems
    step "${results}/.done_score" "${results}/scores.json" "${decode}/.done" "${resynthesis}/.done" \
        ${judge_done[@]+"${judge_done[@]}"} ${compared_done[@]+"${compared_done[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.score --pairs "${raw}/${test_sets}/${pairs}" --data_dir "${raw}/${test_sets}" \
        --system "codec=${resynthesis}/wav.scp" --system "valle=${decode}/wav.scp" ${compared[@]+"${compared[@]}"} \
        --training valle=train_ar,train_nar ${compared_scored[@]+"${compared_scored[@]}"} \
        --config "${score_config}" ${prompts[@]+"${prompts[@]}"} \
        --outcomes "valle=${decode}/outcomes" ${judge[@]+"${judge[@]}"} --stage_times "${stage_times}" \
        --output_dir "${results}" --max_bad "${max_bad}" "${inference_workers[@]}"
    end_stage
fi

if wanted 9 && ! "${skip_eval}"; then
    begin_stage 9 report
    need "${results}/.done_score" 8
    compared_systems
    listened=("${exp}"/listening/*/listening.json) # the pattern itself where there is none
    [ -f "${listened[0]}" ] || listened=()
    step "${results}/.done_report" "${results}/report.html" "${results}/.done_score" ${listened[@]+"${listened[@]}"} -- \
        "${PYTHON}" -m espnet2_valle.bin.report --exp_dir "${exp}" --score_dir "${results}" \
        --pairs "${raw}/${test_sets}/${pairs}" --data_dir "${raw}/${test_sets}" \
        --system "codec=${resynthesis}/wav.scp" --system "valle=${decode}/wav.scp" --outcomes "${decode}/outcomes" \
        --inference_model "${inference_model}" --demo "${results}/demo" ${compared[@]+"${compared[@]}"}
    end_stage
fi

if wanted 10 && [ -z "${download_model}" ]; then
    begin_stage 10 pack
    need "${exp}/ar/.done" 5
    need "${exp}/nar/.done" 6
    step "${exp}/.done_pack" "${exp}/model.zip" "${exp}/ar/.done" "${exp}/nar/.done" "${exp}/codec/.done" -- \
        "${PYTHON}" -m espnet2_valle.bin.pack "${model_files[@]}" --output "${exp}/model.zip"
    end_stage
fi

if [ -f "${results}/.done_score" ]; then
    echo
    cat "${results}/RESULTS.md"
    echo
fi
for file in "${results}/report.html" "${exp}/model.zip"; do
    if [ -f "${file}" ]; then log "$(cd "$(dirname "${file}")" && pwd)/${file##*/}"; fi
done
