"""The least options with which each command of `valle` would work, and files to give it."""

from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.common.conf import CONF

RATE = 8000
# In a line, {in} is the folder that `write_inputs` fills, {out} one for outputs. Models and codecs are files
# without sense: a command that opens them before it has looked at the rest complains of them.
MODEL = "--model_tag {in}/model.zip"
VOICE = "--prompt_speech {in}/voice.wav --prompt_text hello"
PAIRS = "--pairs {in}/data/pairs --data_dir {in}/data"
SYSTEM = "--system ours={in}/data/wav.scp"
BASELINE = "--kind tacotron2 --config {conf}/baseline/mini/tacotron2.yaml --fs 8000 --raw_dir {in}/raw "
BASELINE += "--token_dir {in}/token --spembs_dir {in}/spembs --train_set train --valid_set valid"
TRAINED = "--train_config {in}/config.yaml --model_file {in}/model.pth --token_int {in}/data/token_int "
TRAINED += "--spembs {in}/data/wav.scp"
JSON = "--json {out}/figures.json"
PACKED = "--ar_train_config {in}/config.yaml --ar_model_file {in}/model.pth "
PACKED += "--nar_train_config {in}/config.yaml --nar_model_file {in}/model.pth --codec_config {in}/codec.yaml"
LEAST = {
    "say": [
        f"{MODEL} --text hello {VOICE} --output_wav {{out}}/speech.wav",
        f"{PACKED} --text hello {VOICE} --output_wav {{out}}/speech.wav",
        f"{MODEL} {PAIRS} --output_dir {{out}}/decode",
        f"{MODEL} {PAIRS} --output_dir {{out}}/decode --cluster {{conf}}/cluster/local.yaml",
    ],
    "stream": [
        f"{MODEL} --text hello {VOICE} --output_wav {{out}}/speech.wav",
        f"{MODEL} --text_file {{in}}/text.txt {VOICE} --output_wav {{out}}/speech.flac "
        "--longform_config {conf}/longform.yaml",
    ],
    "longform": [
        f"{MODEL} --text_file {{in}}/text.txt {VOICE} --output_wav {{out}}/speech.wav "
        "--longform_config {conf}/longform.yaml"
    ],
    "prompt": [
        f"{VOICE} --codec_config {{in}}/codec.yaml --output {{out}}/voice.npz "
        "--output_wav {out}/voice.wav --report {out}/voice.json --voices no",
        f"{VOICE} {MODEL} --output {{out}}/voice.npz",
    ],
    "serve": [
        f"{MODEL} --voices {{in}}/data --keys {{in}}/keys --serve_config {{conf}}/serve.yaml "
        "--longform_config {conf}/longform.yaml --port 0"
    ],
    "demo": [
        f"{MODEL} --voices {{in}}/data --keys {{in}}/keys --serve_config {{conf}}/serve.yaml "
        "--longform_config {conf}/longform.yaml --port 0"
    ],
    "train": [
        "--valle ar --config {conf}/train_ar_mini.yaml --output_dir {out}/ar --token_list {in}/tokens.txt "
        "--codec_config {in}/codec.yaml --train_data_path_and_name_and_type {in}/index,index,valle_index "
        "--valid_data_path_and_name_and_type {in}/index,index,valle_index --ngpu 0",
    ],
    "train-ns2": [
        "--config {conf}/train_ns2_mini.yaml --output_dir {out}/ns2 --token_list {in}/tokens.txt "
        "--codec_config {in}/codec.yaml --train_data_path_and_name_and_type {in}/index,index,valle_index "
        "--valid_data_path_and_name_and_type {in}/index,index,valle_index --ngpu 0",
    ],
    "finetune": [f"{MODEL} --config {{conf}}/finetune_lora.yaml --output_dir {{out}}/base"],
    "plan": ["--config {conf}/train_ar_mini.yaml"],
    "pack": [
        f"{PACKED} --option {{in}}/text.txt --card_config {{conf}}/card.yaml --output {{out}}/packed.zip"
    ],
    "upload": [f"{MODEL} --hf_repo lab/valle"],
    "detect": ["{in}/voice.wav --json {out}/found.json"],
    "evaluate": [
        f"{PAIRS} {SYSTEM} --config {{conf}}/score/study.yaml --output_dir {{out}}/score",
        f"--list {{in}}/list {SYSTEM} --output_dir {{out}}/score --vocabulary {{in}}/text.txt "
        "--stage_times {in}/stage_times --versa ours={in}/versa --outcomes ours={in}/data/text",
    ],
    "report": [f"--exp_dir {{in}}/exp {PAIRS} --output {{out}}/report.html --demo {{out}}/demo"],
    "study": [
        "prompt_length --exp {in}/exp --data_dir {in}/data --output_dir {out}/study "
        "--results {out}/RESULTS.md --decode_config {conf}/decode.yaml --score_config {conf}/score/study.yaml"
    ],
    "data mini": ["--config {conf}/mini.yaml --output_dir {out}/mini"],
    "data mini-x": ["--config {conf}/mini_x.yaml --output_dir {out}/mini_x"],
    "data mini-emo": ["--config {conf}/mini_emo.yaml --output_dir {out}/mini_emo"],
    "data folder": ["--db {in}/data --output_dir {out}/data"],
    "data corpus": ["--corpus ljspeech --db {in}/data --output_dir {out}/data"],
    "data combine": ["--part ours={in}/data --output_dir {out}/data"],
    "data format": ["--data_dir {in}/data --output_dir {out}/raw --fs 8000"],
    "data perturb": ["--data_dir {in}/data --recorded_dir {in}/data --output_dir {out}/sp --factors 0.9"],
    "data read-aloud": [
        "--data_dir {in}/data --output_dir {out}/ra --sentences 2 --config {conf}/read_aloud.yaml"
    ],
    "data tokenize": [
        "--data_dir {in}/data --output_dir {out}/token --token_list {in}/tokens.txt --token_type char"
    ],
    "data index": [
        "--codes_dir {in}/codes --token_int {in}/data/token_int --utt2spk {in}/data/utt2spk "
        "--utt2lang {in}/data/utt2spk --utt2emo {in}/data/utt2spk --utt2style {in}/data/utt2spk "
        "--output_dir {out}/index"
    ],
    "data sentences": [f"{PAIRS} --sentences {{in}}/text.txt --output_dir {{out}}/said"],
    "data style": [
        "--data_dir {in}/data --token_int {in}/data/token_int --edges {out}/edges.yaml --fit true "
        "--output_dir {out}/style"
    ],
    "data timing": [
        "--codec_config {in}/codec.yaml --codes_dir {in}/codes --wav_scp {in}/data/wav.scp "
        "--token_int {in}/data/token_int --token_list {in}/tokens.txt --aligner {out}/aligner.npz --fit true "
        "--output_dir {out}/timing"
    ],
    "codec fit": [
        "--codec world --config {conf}/codec/world.yaml --wav_scp {in}/data/wav.scp --output_dir {out}/codec"
    ],
    "codec tokenize": [
        "--codec_config {in}/codec.yaml --wav_scp {in}/data/wav.scp --only {in}/data/utt2spk "
        "--output_dir {out}/codes"
    ],
    "codec resynthesize": [
        "--codec_config {in}/codec.yaml --wav_scp {in}/data/wav.scp --pairs {in}/data/pairs "
        "--output_dir {out}/resynthesis",
        f"{MODEL} --wav_scp {{in}}/data/wav.scp --output_dir {{out}}/resynthesis",
    ],
    "asr train": [
        "--train_dir {in}/data --valid_dir {in}/data --output_dir {out}/asr "
        "--config {conf}/judge/train_asr_ctc.yaml"
    ],
    "asr check": [
        "--corpus ours={in}/data --codec_config {in}/codec.yaml --score_config {conf}/score/study.yaml "
        "--output_dir {out}/check --results {out}/RESULTS.md"
    ],
    "speaker embed": ["--wav_scp {in}/data/wav.scp --output_dir {out}/spembs"],
    "baseline stats": [f"{BASELINE} --output_dir {{out}}/stats"],
    "baseline train": [f"{BASELINE} --stats_dir {{in}}/stats --output_dir {{out}}/tts"],
    "baseline durations": [f"{TRAINED} --wav_scp {{in}}/data/wav.scp --output_dir {{out}}/durations"],
    "baseline infer": [f"{TRAINED} --pairs {{in}}/data/pairs --output_dir {{out}}/decode"],
    "listening make": [f"--test_dir {{out}}/test {PAIRS} {SYSTEM} --config {{conf}}/score/listening.yaml"],
    "listening serve": ["--test_dir {in}/exp"],
    "listening analyse": ["--test_dir {in}/exp"],
    "benchmark bookkeeping": [f"--folder {{in}}/exp {JSON}"],
    "emotion train": [
        "--train_dir {in}/data --valid_dir {in}/data --config {conf}/emotion/train_cls.yaml "
        "--output_dir {out}/emotion"
    ],
    "language train": [
        "--train_dir {in}/data --valid_dir {in}/data --config {conf}/language/train_cls.yaml "
        "--output_dir {out}/language"
    ],
    "detector train": [
        "--data_dir {in}/data --system ours={in}/data/wav.scp --pairs {in}/data/pairs "
        "--config {conf}/detector/train_asvspoof.yaml --output_dir {out}/detector"
    ],
    "benchmark codec": [
        f"--config {{conf}}/codec/world.yaml --fit_wav_scp {{in}}/data/wav.scp --test_dir {{in}}/data {JSON}"
    ],
    "benchmark decode": [f"--size mini --conf_dir {{conf}} {JSON}"],
    "benchmark index": [f"--folder {{in}}/exp {JSON}"],
    "benchmark machine": [JSON],
    "benchmark threads": [f"--config {{conf}}/train_ar_mini.yaml {JSON}"],
    "benchmark train": [f"--config {{conf}}/train_ar_mini.yaml {JSON}"],
    "benchmark startup": [JSON],
    "benchmark first_sound": [f"--requirement espnet2_valle {MODEL} {VOICE} {JSON}"],
    "benchmark streaming": [
        f"{MODEL} --prompt {{in}}/voice.npz --words {{in}}/text.txt {JSON}",
        "--ar_config {conf}/train_ar_mini.yaml --nar_config {conf}/train_nar_mini.yaml "
        f"--codec_config {{conf}}/codec/world.yaml {JSON}",
    ],
    "benchmark serve": [
        f"{MODEL} --prompt {{in}}/voice.npz --words {{in}}/text.txt {JSON} "
        "--decode_config {conf}/decode.yaml --serve_config {conf}/serve.yaml"
    ],
    "benchmark tokenize": [f"--folder {{in}}/exp {JSON}"],
    "benchmark score": [f"--folder {{in}}/exp --config {{conf}}/score/study.yaml {JSON}"],
    "benchmark watermark": [f"--real_dir {{in}}/data --output_dir {{out}}/work {JSON}"],
    "benchmark diffusion": [f"--config {{conf}}/train_ns2_mini.yaml {JSON}"],
    "benchmark style": [f"{MODEL} {PAIRS} --emotion_recognizer {{in}}/exp {JSON}"],
    "benchmark control": [f"{MODEL} {PAIRS} {JSON}"],
    "benchmark longform": [
        f"{MODEL} --prompt {{in}}/voice.npz --words {{in}}/text.txt --output_wav {{out}}/long.wav {JSON} "
        "--longform_config {conf}/longform.yaml"
    ],
}


def write_inputs(folder: Path) -> None:
    """Fill a folder with what the lines name."""
    data = folder / "data"
    data.mkdir(parents=True)
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    for name in ("voice.wav", "data/a1.wav", "data/a2.wav"):
        soundfile.write(folder / name, noise, RATE)
    utterances = ("a1", "a2")
    (data / "wav.scp").write_text("".join(f"{name} {data / name}.wav\n" for name in utterances))
    (data / "text").write_text("".join(f"{name} hello\n" for name in utterances))
    (data / "utt2spk").write_text("".join(f"{name} a\n" for name in utterances))
    (data / "token_int").write_text("".join(f"{name} 2 3\n" for name in utterances))
    (data / "pairs").write_text("p1 a1 a2 a1\n")
    (folder / "list").write_text(f"p1|hello|{folder / 'voice.wav'}|hello\n")
    (folder / "text.txt").write_text("Hello. Hello there.\n")
    (folder / "tokens.txt").write_text("".join(f"{token}\n" for token in ("<blank>", "<unk>", *"helo")))
    (folder / "keys").write_text(f"lab {'k' * 24}\n")
    (folder / "stage_times").write_text("data 1\n")
    (folder / "versa").write_text('{"key": "p1", "utmos": 3.0}\n')
    for name in ("exp", "index", "codes", "raw", "token", "spembs", "stats"):
        (folder / name).mkdir()
    for name in ("model.zip", "model.pth", "voice.npz", "config.yaml", "codec.yaml"):
        (folder / name).write_text("a: b\n")


def words(line: str, inputs: Path, outputs: Path) -> list[str]:
    """Words of a line of `LEAST`."""
    return line.format(**{"in": inputs, "out": outputs, "conf": CONF}).split()
