import json
import logging

import pytest
from sound_names import touch

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.corpus.recording import to_data_dir


def write_metadata(db, rows, header="id|speaker|text"):
    db.mkdir(parents=True, exist_ok=True)
    (db / "metadata.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_metadata_names_files_in_wav_or_beside(tmp_path):
    touch(tmp_path / "wav" / "u1.flac")
    touch(tmp_path / "u2.wav")
    touch(tmp_path / "wav" / "deep" / "u3.wav")
    write_metadata(tmp_path, ["u1|ann| Hello,  world ", 'u2.wav|bob|it\'s "fine"', "deep/u3|bob|three"])
    found = {r.utterance: r for r in read_folder(tmp_path)}
    assert list(found) == ["ann-u1", "bob-deep-u3", "bob-u2"]
    assert found["ann-u1"].text == "Hello, world"
    assert found["ann-u1"].wav == str(tmp_path / "wav" / "u1.flac")
    assert found["bob-u2"].text == 'it\'s "fine"'


def test_an_id_that_begins_with_its_speaker_stays_as_it_is(tmp_path):
    touch(tmp_path / "ann_1.wav")
    write_metadata(tmp_path, ["ann_1|ann|hello"])
    assert read_folder(tmp_path)[0].utterance == "ann_1"


def test_metadata_without_speakers_takes_the_folders_name(tmp_path):
    touch(tmp_path / "jane" / "wav" / "u1.wav")
    write_metadata(tmp_path / "jane", ["u1|hello"], "id|text")
    assert read_folder(tmp_path / "jane")[0].speaker == "jane"


def test_text_beside_audio_and_the_folder_names_the_speaker(tmp_path):
    for name in ("ann/1", "bob/1"):
        touch(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_text(f"said in {name}\n", encoding="utf-8")
    found = read_folder(tmp_path)
    assert [(r.utterance, r.speaker, r.text) for r in found] == [
        ("ann-1", "ann", "said in ann/1"),
        ("bob-1", "bob", "said in bob/1"),
    ]


def test_names_become_keys_without_spaces(tmp_path):
    touch(tmp_path / "Ann Lee" / "take 1.wav")
    (tmp_path / "Ann Lee" / "take 1.txt").write_text("hello")
    found = read_folder(tmp_path)[0]
    assert (found.utterance, found.speaker) == ("Ann-Lee-take-1", "Ann-Lee")


def test_a_kaldi_directory_is_read(tmp_path):
    wav = touch(tmp_path / "audio" / "1.wav")
    (tmp_path / "wav.scp").write_text(f"ann-1 {wav}\nann-2 audio/1.wav\n")
    (tmp_path / "text").write_text("ann-1 hello\nann-2 there\n")
    (tmp_path / "utt2spk").write_text("ann-1 ann\nann-2 ann\n")
    assert [r.wav for r in read_folder(tmp_path)] == [str(wav), str(wav)]


def test_a_kaldi_line_without_its_sound_file_is_a_bad_entry(tmp_path):
    touch(tmp_path / "1.wav")
    (tmp_path / "wav.scp").write_text("ann-1 1.wav\nann-2 gone/2.wav\n")
    (tmp_path / "text").write_text("ann-1 hello\nann-2 there\n")
    (tmp_path / "utt2spk").write_text("ann-1 ann\nann-2 ann\n")
    with pytest.raises(InputError, match=r"wav\.scp: 'ann-2' has no sound file gone/2\.wav \(1 of 2"):
        read_folder(tmp_path)
    assert [r.utterance for r in read_folder(tmp_path, max_bad=0.5)] == ["ann-1"]


def test_a_kaldi_pipe_is_refused(tmp_path):
    (tmp_path / "wav.scp").write_text("ann-1 sph2pipe x.sph |\n")
    (tmp_path / "text").write_text("ann-1 hello\n")
    (tmp_path / "utt2spk").write_text("ann-1 ann\n")
    with pytest.raises(InputError, match="'ann-1' is a pipe"):
        read_folder(tmp_path)


def test_kaldi_segments_languages_and_emotions_are_read(tmp_path):
    wav = touch(tmp_path / "audio" / "long.wav")
    (tmp_path / "wav.scp").write_text(f"long {wav}\n")
    (tmp_path / "segments").write_text("ann-1 long 0.5 2\nann-2 long 2 3.25\n")
    (tmp_path / "text").write_text("ann-1 hello\nann-2 there\n")
    (tmp_path / "utt2spk").write_text("ann-1 ann\nann-2 ann\n")
    (tmp_path / "utt2lang").write_text("ann-1 en\nann-2 de\n")
    (tmp_path / "utt2emo").write_text("ann-1 sleepy\nann-2 angry\n")
    first, second = read_folder(tmp_path)
    assert (first.wav, first.span, first.language, first.emotion) == (str(wav), (0.5, 2.0), "en", "sleepy")
    assert (second.wav, second.span, second.language, second.emotion) == (
        str(wav),
        (2.0, 3.25),
        "de",
        "angry",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gone|ann|hello", "metadata.csv:3: 'gone' has no sound file"),
        ("u1|ann|  ", "metadata.csv:3: the transcript of 'u1' is empty"),
        ("u1|ann", "metadata.csv:3: is not a row of 3 columns"),
        ("u1|ann|hello|more", "metadata.csv:3: is not a row of 3 columns"),
        ("u0|ann|again", "metadata.csv:3: 'u0' is the sound file of .*csv:2, too, with another text"),
        ("u0.wav|bob|hello", "metadata.csv:3: 'u0.wav' is the sound file of .*csv:2, too"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, message):
    touch(tmp_path / "u0.wav")
    touch(tmp_path / "u1.wav")
    write_metadata(tmp_path, ["u0|ann|hello", row])
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path)


def test_metadata_without_header_is_an_error_that_says_how_to_begin(tmp_path):
    touch(tmp_path / "u0.wav")
    write_metadata(tmp_path, [], "u0|ann|hello")
    with pytest.raises(InputError, match=r"first line is 'u0\|ann\|hello'. Begin it with id\|speaker\|text"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"), [(None, "has no transcript"), (" \n", "the transcript is empty")]
)
def test_audio_without_transcript_is_named(tmp_path, text, message):
    touch(tmp_path / "ann" / "1.wav")
    if text is not None:
        (tmp_path / "ann" / "1.txt").write_text(text)
    with pytest.raises(InputError, match=f"1.wav: {message}"):
        read_folder(tmp_path)


BOM = b"\xef\xbb\xbf"
LATIN_1 = "caf\u00e9".encode("latin-1")


def test_the_mark_that_editors_put_before_a_text_is_no_part_of_it(tmp_path):
    touch(tmp_path / "a" / "1.wav")
    (tmp_path / "a" / "1.txt").write_bytes(BOM + b"hello\n")
    touch(tmp_path / "b" / "1.wav")
    (tmp_path / "b" / "metadata.csv").write_bytes(BOM + b"id|text\r\n1|hello\r\n")
    touch(tmp_path / "c" / "1.wav")
    for name, line in (("wav.scp", b"1 1.wav\n"), ("text", b"1 hello\n"), ("utt2spk", b"1 c\n")):
        (tmp_path / "c" / name).write_bytes(BOM + line)
    for name in "abc":
        assert [(r.utterance, r.text) for r in read_folder(tmp_path / name)] == [(f"{name}-1", "hello")]


def test_a_transcript_in_another_encoding_is_a_bad_entry(tmp_path):
    for name in ("1", "2"):
        touch(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_bytes(LATIN_1 if name == "2" else b"hello")
    with pytest.raises(InputError, match=r"2\.txt: is not UTF-8 text .*\(1 of 2 utterances"):
        read_folder(tmp_path)
    assert len(read_folder(tmp_path, max_bad=0.5)) == 1


def test_metadata_in_another_encoding_is_named(tmp_path):
    touch(tmp_path / "1.wav")
    (tmp_path / "metadata.csv").write_bytes(b"id|text\n1|" + LATIN_1 + b"\n")
    with pytest.raises(InputError, match=r"metadata\.csv: is not UTF-8 text .* Convert it"):
        read_folder(tmp_path, max_bad=1.0)


def test_a_few_bad_entries_are_left_out_loudly(tmp_path, caplog):
    rows = [f"u{n}|ann|text {n}" for n in range(10)]
    for n in range(9):
        touch(tmp_path / f"u{n}.wav")
    write_metadata(tmp_path, rows)
    with caplog.at_level(logging.WARNING):
        found = read_folder(tmp_path, max_bad=0.1)
    assert len(found) == 9
    assert "1 of 10 utterances are bad and LEFT OUT" in caplog.text
    assert "'u9' has no sound file" in caplog.text
    with pytest.raises(InputError, match=r"1 of 10 utterances .* --max_bad: 0.09"):
        read_folder(tmp_path, max_bad=0.09)


def test_audio_without_a_row_is_told(tmp_path, caplog):
    touch(tmp_path / "u0.wav")
    touch(tmp_path / "extra.wav")
    write_metadata(tmp_path, ["u0|ann|hello"])
    with caplog.at_level(logging.WARNING):
        assert len(read_folder(tmp_path)) == 1
    assert "1 sound files have no row" in caplog.text


def test_a_folder_with_nothing_is_an_error_that_says_what_is_read(tmp_path):
    with pytest.raises(InputError, match="no recording with a transcript. Give it a metadata.csv"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_folder(tmp_path / "nothing")


def test_recordings_become_a_data_directory(tmp_path):
    touch(tmp_path / "db" / "u0.wav")
    write_metadata(tmp_path / "db", ["u0|ann|hello"])
    to_data_dir(read_folder(tmp_path / "db"), tmp_path / "out").write()
    assert (tmp_path / "out" / "text").read_text() == "ann-u0 hello\n"


def test_emotions_stand_in_the_list_or_in_a_table_of_further_labels(tmp_path):
    for name in ("u1", "u2", "u3"):
        touch(tmp_path / "wav" / f"{name}.flac")
    write_metadata(tmp_path, ["u1|ann|one|sad", "u2|ann|two|", "u3|bob|three|"], "id|speaker|text|emotion")
    found = [recording.emotion for recording in read_folder(tmp_path)]
    assert found == ["sad", "unknown", "unknown"]
    (tmp_path / "extra.csv").write_text("id|sex|emotion\nu1|f|happy\nu2|f|very happy\n", encoding="utf-8")
    assert [recording.emotion for recording in read_folder(tmp_path)] == ["sad", "very-happy", "unknown"]
    write_metadata(tmp_path, ["u1|ann|one", "u2|ann|two", "u3|bob|three"])
    assert [recording.emotion for recording in read_folder(tmp_path)] == ["happy", "very-happy", "unknown"]
    (tmp_path / "extra.csv").write_text("id|sex\nu1|f\n", encoding="utf-8")
    assert {recording.emotion for recording in read_folder(tmp_path)} == {""}


def test_languages_stand_in_the_list_or_in_a_table_of_further_labels(tmp_path):
    for name in ("u1", "u2"):
        touch(tmp_path / "wav" / f"{name}.flac")
    write_metadata(tmp_path, ["u1|ann|one|en-US", "u2|ann|zwei|"], "id|speaker|text|locale")
    assert [recording.language for recording in read_folder(tmp_path)] == ["en-US", "und"]
    (tmp_path / "extra.csv").write_text("id,lang,emotion\nu1,de,sad\nu2,de\n", encoding="utf-8")
    found = read_folder(tmp_path)
    assert [(one.language, one.emotion) for one in found] == [("en-US", "sad"), ("de", "unknown")]
    lines = [{"audio": f"{name}.flac", "text": name, "lang": "pl"} for name in ("u1", "u2")]
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert {one.language for one in read_folder(tmp_path)} == {"pl"}
