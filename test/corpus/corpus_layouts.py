"""Small folders in the layouts of the public corpora, as their archives unpack."""

import gzip
import io
import json
from functools import lru_cache

import numpy as np
import soundfile

RATE = 8000
SPEAKERS = ("100", "101", "102")
FORMATS = {".sph": "NIST"}  # of libsndfile


@lru_cache
def encoded(suffix, seconds):
    stream = io.BytesIO()
    wave = 0.2 * np.sin(np.arange(int(seconds * RATE)) / 5)
    soundfile.write(stream, wave, RATE, format=FORMATS.get(suffix, suffix[1:].lower()), subtype="PCM_16")
    return stream.getvalue()


def sound(path, seconds=1.5):
    """A tone in a sound file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(path.suffix, seconds))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def ljspeech(db):
    root = db / "LJSpeech-1.1"
    names = [f"LJ{chapter:03d}-{n:04d}" for chapter in (1, 2) for n in range(1, 11)]
    for name in names:
        sound(root / "wavs" / f"{name}.wav")
    write(root / "metadata.csv", "".join(f'{n}|Text 1 of "{n}|text one of "{n}\n' for n in names))
    return root


def vctk(db, speakers=("p225", "p226", "p227", "p315", "p280", "s5")):
    root = db / "VCTK-Corpus-0.92"
    for speaker in speakers:
        for n in range(1, 31):
            name = f"{speaker}_{n:03d}"
            for microphone in ("mic1",) if speaker == "p280" else ("mic1", "mic2"):
                sound(root / "wav48_silence_trimmed" / speaker / f"{name}_{microphone}.flac")
            if speaker != "p315":
                write(root / "txt" / speaker / f"{name}.txt", f"Sentence {n}.\n")
    return root


def vctk_080(db):
    root = db / "VCTK-Corpus"
    for speaker in ("p225", "p226"):
        for n in range(1, 31):
            sound(root / "wav48" / speaker / f"{speaker}_{n:03d}.wav")
            write(root / "txt" / speaker / f"{speaker}_{n:03d}.txt", f"Sentence {n}.\n")
    return root


def libritts(db, folder="LibriTTS", parts=("train-clean-100", "dev-clean", "test-clean")):
    root = db / folder
    for number, part in enumerate(parts):
        for speaker in (f"{number}1", f"{number}2"):
            for n in range(6):
                name = f"{speaker}_77_{n:06d}_000000"
                path = root / part / speaker / "77" / name
                sound(path.with_suffix(".wav"))
                write(path.with_name(f"{name}.normalized.txt"), f"Doctor {name}.")
                write(path.with_name(f"{name}.original.txt"), f"Dr. {name}.")
    return root


def libritts_r(db):
    return libritts(db, "LibriTTS_R")


def librispeech(db, parts=("train-clean-100", "dev-clean", "test-clean")):
    root = db / "LibriSpeech"
    write(root / "SPEAKERS.TXT", ";ID |SEX\n")
    for number, part in enumerate(parts):
        for speaker in (f"{number}1", f"{number}2"):
            lines = []
            for n in range(4):
                name = f"{speaker}-77-{n:04d}"
                sound(root / part / speaker / "77" / f"{name}.flac", seconds=3 + 2 * n)
                lines.append(f"{name} DON'T SAY {n}\n")
            write(root / part / speaker / "77" / f"{speaker}-77.trans.txt", "".join(lines))
    return root


def librispeech_test(db):
    return librispeech(db, ("test-clean",))


def aishell3(db):
    root = db / "data_aishell3"
    for part, speakers in (("train", ("SSB0005", "SSB0009")), ("test", ("SSB0005", "SSB0011"))):
        lines = []
        for speaker in speakers:
            for n in range(1, 25):
                name = f"{speaker}{n if part == 'train' else n + 500:04d}"
                sound(root / part / "wav" / speaker / f"{name}.wav")
                lines.append(f"{name}.wav\t广 guang3 州 zhou1 {chr(0x4E00 + n)} yi1\n")
        write(root / part / "content.txt", "".join(lines))
    write(root / "spk-info.txt", "# speaker\tage\tgender\taccent\n")
    return root


def emovdb(db):
    root = db / "EmoV-DB"
    sentences = [f'( arctic_a{n:04d} "Sentence {n}, he said." )\n' for n in range(1, 41)]
    write(root / "cmuarctic.data", "".join([*sentences, '( arctic_b0020 "Of set B." )\n']))
    names = {
        "bea_Amused": "amused_1-15",
        "bea_Angry": "anger_1-28",
        "sam_Sleepy": "sleepiness_1-20",
        "josh_Neutral": "neutral_1-28",
    }
    for folder, name in names.items():
        for n in range(1, 41):
            sound(root / folder / f"{name}_{n:04d}.wav")
    return root


def esd(db):
    root = db / "Emotion Speech Dataset"
    folders = {"Neutral": 0, "Angry": 350, "Surprise": 1400}
    for speaker, words in (
        ("0004", "打远一看"),
        ("0011", "The nine the eggs"),
        ("0016", "The nine the eggs"),
    ):
        lines = []
        for emotion, first in folders.items():
            for n in (1, 2, 21, 22, 51, 52, 53, 54):
                name = f"{speaker}_{first + n:06d}"
                part = "evaluation" if n < 21 else "test" if n < 51 else "train"
                sound(root / speaker / emotion / part / f"{name}.wav")
                lines.append(f"{name}\t{words} {n}.\t{emotion}\n")
        write(root / speaker / f"{speaker}.txt", "\n".join(lines))
    return root


def librilight_sounds(root, seconds=40):
    for speaker in SPEAKERS:
        stem = root / "small" / speaker / "sea_fairies_librivox_64kb_mp3" / "01_sea_64kb"
        sound(stem.with_suffix(".flac"), seconds)
        write(stem.with_suffix(".json"), json.dumps({"speaker": speaker, "voice_activity": [[0, seconds]]}))


def recording_of(speaker):
    return f"small/{speaker}/sea_fairies_librivox_64kb_mp3/01_sea_64kb"


def libriheavy(db):
    """Sentences of 6 s with pauses of 0.5 s in training, others of 3 s for dev and test."""
    root = db / "libriheavy"
    librilight_sounds(root / "download" / "librilight")
    parts = {"small": ("100", 6.0), "dev": ("101", 3.0), "test_clean": ("102", 3.0)}
    for part, (speaker, seconds) in parts.items():
        name = recording_of(speaker)
        lines = []
        for n in range(6):
            custom = {"texts": [f"Sentence {n},\nhe said.", f"SENTENCE {n} HE SAID"], "begin_byte": n}
            source = {"type": "file", "channels": [0], "source": f"download/librilight/{name}.flac"}
            cut = {
                "id": f"{name}_{n}",
                "start": n * (seconds + 0.5),
                "duration": seconds,
                "channel": 0,
                "supervisions": [{"id": f"{name}_{n}", "speaker": speaker, "custom": custom}],
                "recording": {"id": name, "sources": [source], "sampling_rate": 16000},
                "type": "MonoCut",
            }
            lines.append(json.dumps(cut))
        with gzip.open(root / f"libriheavy_cuts_{part}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
    return root


def librilight(db):
    """Words of half a second behind one another, with a longer pause after every fourteenth."""
    root = db / "librilight"
    librilight_sounds(root)
    lines = [";; made by a recogniser\n"]
    for speaker in SPEAKERS:
        for n in range(60):
            start = n * 0.55 + (n // 14) * 0.4
            lines.append(f"{recording_of(speaker)} 1 {start:.3f} 0.5 word{n} 0.98\n")
    write(root / "alignments" / "small.ctm", "".join(lines))
    return root


AN4_TEXTS = ("R G M E X T", "RUBOUT A G SEVEN", "START", "JULY FIRST")


def an4(db):
    """Lines of the training part are between <s> and </s>, those of the test are not."""
    root = db / "an4"
    parts = {"train": ("an4_clstk", ("fash", "mgah", "mskh")), "test": ("an4test_clstk", ("fcaw", "mmkw"))}
    for part, (folder, speakers) in parts.items():
        lines, ids = [], []
        for speaker in speakers:
            for n, text in enumerate(AN4_TEXTS):
                name = f"an{250 + n}-{speaker}-b"
                sound(root / "wav" / folder / speaker / f"{name}.sph")
                text = f"<s> {text} </s>" if part == "train" else text
                lines.append(f"{text} ({name})\n")
                ids.append(f"{folder}/{speaker}/{name}\n")
        write(root / "etc" / f"an4_{part}.transcription", "".join(lines))
        write(root / "etc" / f"an4_{part}.fileids", "".join(ids))
    write(root / "README", "")
    return root


def speechocean762(db):
    """Of each part a child of six and adults; the second clip of each speaker is scored 6, the others 9."""
    root = db / "speechocean762"
    scores = {}
    parts = {"train": {"0001": 6, "0003": 30, "0005": 41}, "test": {"0002": 6, "1156": 33, "1160": 18}}
    for part, ages in parts.items():
        rows = {name: [] for name in ("text", "wav.scp", "utt2spk")}
        for speaker in ages:
            for n in range(4):
                name = f"0{speaker}00{n}1"
                wav = f"WAVE/SPEAKER{speaker}/{name}.WAV"
                sound(root / wav)
                rows["text"].append(f"{name}\tWE CALL IT BEAR {n}\n")
                rows["wav.scp"].append(f"{name}\t{wav}\n")
                rows["utt2spk"].append(f"{name}\t{speaker}\n")
                accuracy = 6 if n == 1 else 9
                scores[name] = {"text": f"WE CALL IT BEAR {n}", "accuracy": accuracy, "total": 8, "words": []}
        for name, lines in rows.items():
            write(root / part / name, "".join(lines))
        write(root / part / "spk2age", "".join(f"{speaker}\t{age}\n" for speaker, age in ages.items()))
        write(root / part / "spk2gender", "".join(f"{speaker}\tm\n" for speaker in ages))
    write(root / "resource" / "scores.json", json.dumps(scores))
    return root


LAYOUTS = {
    "ljspeech": ljspeech,
    "vctk": vctk,
    "libritts": libritts,
    "libritts_r": libritts_r,
    "librispeech": librispeech,
    "librispeech_test": librispeech_test,
    "libriheavy": libriheavy,
    "librilight": librilight,
    "aishell3": aishell3,
    "emovdb": emovdb,
    "esd": esd,
    "an4": an4,
    "speechocean762": speechocean762,
}
