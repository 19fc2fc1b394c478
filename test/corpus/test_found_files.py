"""Folders of recordings as people and their tools leave them."""

import logging
import re

import numpy as np
import pytest
import soundfile
from sound_names import NFC, NFD, touch

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.corpus.recording import make_recording


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(db, **options):
    """Utterance, path of the sound file from the folder, and text of each recording."""
    return [(r.utterance, r.wav.removeprefix(f"{db}/"), r.text) for r in read_folder(db, **options)]


def test_a_row_that_is_none_costs_no_other(tmp_path, caplog):
    for n in range(4):
        touch(tmp_path / f"u{n}.wav")
    rows = ["u0|ann|one", "u1|ann|two | too", "", "  ", "||", "u2|ann", "u3|ann|four", "u3|ann|four"]
    write(tmp_path / "metadata.csv", "id|speaker|text", *rows)
    with pytest.raises(InputError, match=r"metadata.csv:3: is not a row of 3 columns between '\|' \(2 of 4"):
        read(tmp_path)
    assert [text for _, _, text in read(tmp_path, max_bad=0.5)] == ["one", "four"]
    assert "1 rows are there once more and left out" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp1252"])
def test_lists_in_encodings_of_spreadsheets(tmp_path, encoding):
    touch(tmp_path / "u.wav")
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    (tmp_path / "metadata.csv").write_bytes(f"{mark}id\ttext\r\nu\tcaf\u00e9\r\n".encode(encoding))
    if encoding == "cp1252":
        with pytest.raises(
            InputError, match=r"Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 /.*csv >"
        ):
            read(tmp_path)
        return
    assert read(tmp_path)[0][2] == "caf\u00e9"


def test_utf_16_without_its_mark_is_named(tmp_path):
    touch(tmp_path / "u.wav")
    (tmp_path / "metadata.csv").write_bytes("id|text\nu|hello\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="looks like UTF-16. Convert it, for example: iconv -f UTF-16LE"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["METADATA.CSV", "Metadata.csv"])
def test_case_does_not_count_in_the_name_of_the_list(tmp_path, name):
    touch(tmp_path / "u.wav")
    write(tmp_path / name, "ID|Text", "u|hello")
    assert read(tmp_path)[0][2] == "hello"


def test_a_list_of_json_lines_is_read(tmp_path):
    for name in ("a", "b", "c"):
        touch(tmp_path / "wavs" / f"{name}.wav")
    lines = ['{"audio_filepath": "wavs/a.wav", "text": "one", "duration": 2.0, "speaker": 7}']
    lines += [
        '{"file_name": "b.wav", "transcription": "two", "speaker_id": "8"}',
        "{",
        '{"text": "none"}',
        "",
    ]
    write(tmp_path / "metadata.jsonl", *lines)
    with pytest.raises(InputError, match=r"metadata.jsonl:3: is not a JSON object on one line \(2 of 4"):
        read(tmp_path)
    assert [(u, text) for u, _, text in read(tmp_path, max_bad=0.5)] == [("7-wavs-a", "one"), ("8-b", "two")]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("validated.tsv", "Rename it to metadata.tsv"),
        ("filelist.txt", "Rename it to metadata.txt"),
        ("manifest.json", "Rename it to metadata.jsonl"),
        ("transcripts.xlsx", "Save its table as metadata.csv, in UTF-8"),
    ],
)
def test_a_list_of_another_name_is_named(tmp_path, name, remedy):
    touch(tmp_path / "wavs" / "a.wav")
    write(tmp_path / "README.txt", "a long text about all this " * 20)
    write(tmp_path / name, "something")
    with pytest.raises(InputError, match=f"{name} may have their transcripts. {remedy}"):
        read(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match="has no transcript a.txt beside it"):
        read(tmp_path)


def test_normalised_texts_of_libritts_are_read(tmp_path):
    touch(tmp_path / "7" / "a.wav")
    write(tmp_path / "7" / "a.normalized.txt", "one")
    write(tmp_path / "7" / "a.original.txt", "1")
    assert read(tmp_path) == [("7-a", "7/a.wav", "one")]


def test_a_kaldi_line_that_another_file_lacks_costs_no_other(tmp_path):
    for n in range(5):
        touch(tmp_path / f"{n}.wav")
    write(tmp_path / "wav.scp", *(f"a{n} {n}.wav" for n in range(4)))
    write(tmp_path / "text", "a0 one", "a1 two", "a2", "a3 four", "a4 five")
    write(tmp_path / "utt2spk", "a0 a", "a2 a", "a3 a")
    with pytest.raises(InputError, match=r"text:3: 'a2' has no value \(3 of 5"):
        read(tmp_path)
    assert [utterance for utterance, _, _ in read(tmp_path, max_bad=0.7)] == ["a0", "a3"]


def test_a_kaldi_directory_without_speakers_says_how_to_name_them(tmp_path):
    touch(tmp_path / "1.wav")
    write(tmp_path / "wav.scp", "a1 1.wav")
    write(tmp_path / "text", "a1 one")
    with pytest.raises(
        InputError, match="utt2spk: no such file. Write it: a line `utterance speaker` for each"
    ):
        read(tmp_path)


def test_two_files_that_would_be_one_utterance_are_both_named(tmp_path):
    for name in ("a b", "a-b"):
        touch(tmp_path / f"{name}.wav")
        write(tmp_path / f"{name}.txt", "hello")
    with pytest.raises(InputError, match=r"both .*a b\.wav and .*a-b\.wav would be '.*a-b'. Rename one"):
        read(tmp_path)


def test_a_speakers_folder_that_is_a_link_is_followed(tmp_path):
    for folder in ("db/ann", "elsewhere"):
        touch(tmp_path / folder / "1.wav")
        write(tmp_path / folder / "1.txt", "hello")
    (tmp_path / "db" / "bob").symlink_to(tmp_path / "elsewhere")
    found = read_folder(tmp_path / "db")
    assert [(r.speaker, r.utterance) for r in found] == [("ann", "ann-1"), ("bob", "bob-1")]
    assert found[1].wav == str(tmp_path / "db" / "bob" / "1.wav")


@pytest.mark.parametrize(("on_disk", "given"), [(NFD, NFC), (NFC, NFD), (NFD, NFD)])
def test_rows_and_files_may_differ_in_unicode_form(tmp_path, on_disk, given):
    touch(tmp_path / "wav" / f"{on_disk}.wav")
    write(tmp_path / "metadata.csv", "id|speaker|text", f"{given}|ann|hello")
    assert read(tmp_path) == [(f"ann-{NFC}", f"wav/{on_disk}.wav", "hello")]


def test_texts_beside_sounds_may_differ_in_unicode_form(tmp_path):
    touch(tmp_path / "ann" / f"{NFD}.wav")
    write(tmp_path / "ann" / f"{NFC}.txt", "hello")
    assert read(tmp_path)[0][0] == f"ann-{NFC}"


@pytest.mark.parametrize(
    "suffix", [".WAV", ".Flac", ".aiff", ".aif", ".au", ".w64", ".sph", ".caf", ".oga", ".MP3"]
)
@pytest.mark.parametrize("row", ["a", "a{}", "a.wav"])
def test_any_format_that_libsndfile_reads_is_taken(tmp_path, suffix, row):
    touch(tmp_path / "wav" / f"a{suffix}")
    write(tmp_path / "metadata.csv", "id|speaker|text", f"{row.format(suffix)}|ann|hello")
    assert read(tmp_path) == [("ann-a", f"wav/a{suffix}", "hello")]


def test_a_row_whose_sound_libsndfile_does_not_read_says_how_to_convert_it(tmp_path, caplog):
    touch(tmp_path / "wavs" / "a.m4a")
    touch(tmp_path / "wavs" / "b.wav")
    touch(tmp_path / "wavs" / "b.m4a")  # what has been converted may stay
    write(tmp_path / "metadata.csv", "id|text", "a|hello", "b|hello")
    with pytest.raises(
        InputError, match=r"metadata.csv:2: libsndfile does not read .m4a files .*ffmpeg -i \S+a.m4a"
    ):
        read_folder(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert len(read_folder(tmp_path, max_bad=0.5)) == 1
    assert "left out 1 files in formats that libsndfile does not read (1 .m4a)" in caplog.text


def test_a_text_beside_a_sound_that_libsndfile_does_not_read_makes_it_a_bad_entry(tmp_path):
    for suffix in (".wma", ".txt"):
        write(tmp_path / f"a{suffix}", "hello")
    touch(tmp_path / "music.mp4")  # no part of the corpus
    with pytest.raises(InputError, match=r"a.wma: libsndfile does not read .wma files \(1 of 1 "):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "folder",
    [
        "wavs",
        "wav",
        "wav48",
        "wavs_22050",
        "audio",
        "audios",
        "Audio",
        "clips",
        "flac",
        "mp3",
        "recordings",
        "x/y",
    ],
)
def test_rows_are_found_in_the_folders_of_other_tools(tmp_path, folder):
    touch(tmp_path / "jane" / folder / "4.wav")
    write(tmp_path / "jane" / "metadata.csv", "id|text", "4|hello")
    speaker = "y" if folder == "x/y" else "jane"
    assert read(tmp_path / "jane") == [(f"{speaker}-4", f"{folder}/4.wav", "hello")]


@pytest.mark.parametrize(
    "row",
    [
        "4",
        "4.wav",
        "wavs/4.wav",
        "./wavs/4.wav",
        "././wavs//4",
        ".\\wavs\\4.wav",
        "/home/me/corpus/wavs/4.wav",
    ]
    + ["C:\\Users\\me\\wavs\\4.wav", "../db/wavs/4.wav", "wavs/4.flac", "audio/4.wav", " 4 ", "WAVS/4.WAV"],
)
def test_ids_are_found_as_people_write_them(tmp_path, row):
    touch(tmp_path / "db" / "wavs" / "4.wav")
    touch(tmp_path / "db" / "wavs" / "14.wav")
    write(tmp_path / "db" / "metadata.csv", "id|text", f"{row}|hello")
    assert [wav.split("/")[-1] for _, wav, _ in read(tmp_path / "db")] == ["4.wav"]


def test_a_row_may_name_a_sound_file_elsewhere(tmp_path):
    path = touch(tmp_path / "store" / "ann" / "1.wav")
    write(tmp_path / "db" / "metadata.csv", "id|text", f"{path}|hello")
    recording = read_folder(tmp_path / "db")[0]
    assert (recording.utterance, recording.wav) == ("ann-1", str(path))


def test_a_path_of_another_machine_is_no_other_speakers_file(tmp_path):
    touch(tmp_path / "bob" / "1.wav")
    write(tmp_path / "metadata.csv", "id|text", "/home/me/ann/1.wav|hello")
    with pytest.raises(InputError, match="has no sound file"):
        read_folder(tmp_path)


def test_an_id_that_may_be_several_files_is_named(tmp_path):
    for speaker in ("ann", "bob"):
        touch(tmp_path / speaker / "1.wav")
    write(tmp_path / "metadata.csv", "id|text", "1|hello")
    with pytest.raises(InputError, match=r"csv:2: '1' may be ann/1.wav or bob/1.wav .*Write the path from"):
        read_folder(tmp_path)
    write(tmp_path / "metadata.csv", "id|text", "ann/1|hello", "bob/1|hello")
    assert [utterance for utterance, _, _ in read(tmp_path)] == ["ann-1", "bob-1"]


def test_names_that_differ_in_case_are_told_apart_and_else_found(tmp_path):
    for name in ("a", "A", "B"):
        touch(tmp_path / f"{name}.wav")
    write(tmp_path / "metadata.csv", "id|speaker|text", "a|s|one", "A|s|two", "b|s|three")
    assert {(wav, text) for _, wav, text in read(tmp_path)} == {
        ("a.wav", "one"),
        ("A.wav", "two"),
        ("B.wav", "three"),
    }


def test_files_that_macos_adds_are_ignored(tmp_path):
    for name in ("a", "b"):
        for prefix in ("", "._"):
            touch(tmp_path / "ann" / f"{prefix}{name}.wav")
            (tmp_path / "ann" / f"{prefix}{name}.txt").write_bytes(b"\0\5\x16\7\xff" if prefix else b"hello")
    touch(tmp_path / "__MACOSX" / "ann" / "._a.wav")
    assert [utterance for utterance, _, _ in read(tmp_path)] == ["ann-a", "ann-b"]


@pytest.mark.parametrize("with_metadata", [True, False])
def test_a_recording_that_is_there_in_two_formats_is_told(tmp_path, caplog, with_metadata):
    for suffix in (".flac", ".wav", ".mp3"):
        touch(tmp_path / f"a{suffix}")
    write(tmp_path / "a.txt", "hello")
    if with_metadata:
        write(tmp_path / "metadata.csv", "id|text", "a|hello")
    with caplog.at_level(logging.WARNING):
        assert [wav for _, wav, _ in read(tmp_path)] == ["a.wav"]
    assert "2 sound files left out: the recording is there in another format too" in caplog.text
    assert "have no row" not in caplog.text


def test_texts_may_lie_in_a_folder_of_their_own(tmp_path):
    for speaker in ("ann", "bob"):
        touch(tmp_path / "wav48" / speaker / "1.wav")
        write(tmp_path / "txt" / speaker / "1.txt", f"by {speaker}")
    assert [(r.speaker, r.text) for r in read_folder(tmp_path)] == [("ann", "by ann"), ("bob", "by bob")]
    (tmp_path / "txt" / "bob" / "1.txt").unlink()  # the other's text is not taken for it
    with pytest.raises(InputError, match="bob/1.wav: has no transcript 1.txt beside it"):
        read_folder(tmp_path)


def test_folders_that_say_what_lies_in_them_are_no_speakers(tmp_path):
    for name in ("wavs/1", "ann/audio/2", "bob/3"):
        touch(tmp_path / "db" / f"{name}.wav")
        write(tmp_path / "db" / f"{name}.txt", "hello")
    assert [r.speaker for r in read_folder(tmp_path / "db")] == ["ann", "bob", "db"]


LONG = 247 - len(".wav")


def test_names_that_fill_what_a_file_system_takes_become_ids_that_can_be_file_names(tmp_path):
    names = [letter * (LONG - 1) + digit for letter in "xy" for digit in "12"] + ["\u00e9" * (LONG // 2)]
    for name in names:
        touch(tmp_path / "wav" / f"{name}.wav")
    write(tmp_path / "metadata.csv", "id|text", *(f"{name}|hello" for name in names))
    ids = [utterance for utterance, _, _ in read(tmp_path)]
    assert len(set(ids)) == len(names)
    assert all(len(name.encode()) <= 200 for name in ids)


def test_a_long_speaker_stays_before_its_ids(tmp_path):
    first, second = (make_recording(name, "s" * 250, "hello", tmp_path / "a.wav") for name in ("1", "2"))
    assert first.speaker == second.speaker != make_recording("1", "s" * 251, "", tmp_path / "a.wav").speaker
    assert first.utterance == f"{first.speaker}-1"


def test_a_row_of_endless_length_is_a_bad_entry(tmp_path):
    touch(tmp_path / "a.wav")
    write(tmp_path / "metadata.csv", "id|text", "a|hello", f"{'y' * 5000}|hello", f"/{'y' * 5000}|hello")
    with pytest.raises(InputError, match="has no sound file"):
        read_folder(tmp_path)


def kaldi(db, segments=(), wav="a.wav"):
    write(db / "wav.scp", f"rec {wav}")
    write(db / "segments", *segments)
    write(db / "text", "ann-1 hello", "ann-2 there")
    write(db / "utt2spk", "ann-1 ann", "ann-2 ann")


@pytest.mark.parametrize("end", ["-1", "-1.0", "-1.00"])
def test_a_segment_to_minus_one_lasts_to_the_end(tmp_path, end):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 8000)
    kaldi(tmp_path, ["ann-1 rec 0.5 1", f"ann-2 rec 1.25 {end}"])
    assert [r.span for r in read_folder(tmp_path)] == [(0.5, 1.0), (1.25, 2.0)]


def test_other_negative_ends_of_segments_are_refused(tmp_path):
    touch(tmp_path / "a.wav")
    kaldi(tmp_path, ["ann-1 rec 0.5 1", "ann-2 rec 1.25 -2"])
    with pytest.raises(InputError, match=r"'ann-2' lasts from 1.25 to -2 s"):
        read_folder(tmp_path)


def test_paths_of_a_kaldi_directory_may_be_from_the_recipe_above_it(tmp_path):
    path = touch(tmp_path / "asr1" / "downloads" / f"{NFD}.wav")
    db = tmp_path / "asr1" / "data" / "train"
    kaldi(db, ["ann-1 rec 0 1", "ann-2 rec 1 2"], f"downloads/{NFC}.wav")
    assert {r.wav for r in read_folder(db)} == {str(path)}


HEADERS = {
    "LJSpeech with header": ["id|text", "a|hello", "b|you, there"],
    "LJSpeech": ["a|hello 2|hello two", "b|you, there|you, there"],
    "LJSpeech, an empty third column": ["a|hello, you|", "b|you, there|"],
    "two columns": ["a|hello", "b|you, there"],
    "with suffixes": ["wavs/a.wav|hello", "wavs/b.wav|you, there"],
    "Coqui": ["audio_file|text|speaker_name", "wavs/a.wav|hello|ann", "wavs/b.wav|you, there|ann"],
    "Hugging Face": ["file_name,transcription", "wavs/a.wav,hello", 'wavs/b.wav,"you, there"'],
    "Common Voice": ["client_id\tpath\tsentence\tup_votes", "x\ta.wav\thello\t2", "x\tb.wav\tyou, there\t2"],
    "a spreadsheet": ["ID;Text", "a;hello", "b;you, there"],
    "tabs": ["a\thello", "b\tyou, there"],
    "empty lines": ["", "id|text", "", "a|hello", "", "b|you, there", ""],
    "spaces": ["id | speaker | text", "a | ann | hello", "b | ann | you, there"],
}


@pytest.mark.parametrize("lines", HEADERS.values(), ids=HEADERS)
def test_metadata_is_read_in_the_forms_that_tools_write(tmp_path, lines):
    for name in "ab":
        touch(tmp_path / "wavs" / f"{name}.wav")
    write(tmp_path / "metadata.csv", *lines)
    texts = [text for _, _, text in read(tmp_path)]
    assert texts == [texts[0], "you, there"]
    assert texts[0] == {"LJSpeech": "hello two", "LJSpeech, an empty third column": "hello, you"}.get(
        next(name for name, given in HEADERS.items() if given is lines), "hello"
    )
    assert len({r.speaker for r in read_folder(tmp_path)}) == 1


@pytest.mark.parametrize("name", ["metadata.tsv", "metadata.txt"])
def test_metadata_may_have_another_suffix(tmp_path, name):
    touch(tmp_path / "wavs" / "a.wav")
    write(tmp_path / name, "a\thello")
    assert read(tmp_path)[0][2] == "hello"


@pytest.mark.parametrize(
    ("lines", "remedy"),
    [
        (["a|ann|hello", "b|bob|you there"], "Begin it with id|speaker|text"),
        (["name|line", "a|hello", "b|hello"], "Begin it with id|speaker|text"),
        (["a|hello", "b|hello"], "Begin it with id|speaker|text, or with id|text where nobody is named"),
        (
            ["wavs/a.wav|ann|EN|hello"],
            "Begin it with id|speaker|text, and a name for each of the other columns, all in their order",
        ),
    ],
)
def test_a_remedy_for_columns_that_cannot_be_told_works(tmp_path, lines, remedy):
    header = {2: "id|text", 3: "id|speaker|text", 4: "id|speaker|language|text"}[lines[0].count("|") + 1]
    write(tmp_path / "metadata.csv", *lines)
    with pytest.raises(InputError, match=re.escape(f"first line is '{lines[0]}'. {remedy}")):
        read_folder(tmp_path)
    for name in "ab":
        touch(tmp_path / "wavs" / f"{name}.wav")
    rows = lines[1:] if lines[0] == "name|line" else lines
    write(tmp_path / "metadata.csv", header, *rows)
    assert len(read_folder(tmp_path)) == len(rows)


def test_quotes_that_do_not_close_are_named(tmp_path):
    touch(tmp_path / "a.wav")
    write(tmp_path / "metadata.csv", "file_name,text", 'a.wav,"hello', "x" * 200000)
    with pytest.raises(InputError, match="is not a table of columns between ',' .* Close its quotes"):
        read_folder(tmp_path)
