from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir, read_scp, write_scp

KEYS = st.text("abcXYZ019_-", min_size=1, max_size=6)
VALUES = st.text("abc é中\t.,", min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)


def a_set(path):
    return DataDir(
        path,
        {"b-1": "/x/b1.wav", "a-2": "/x/a 2.wav", "a-1": "/x/a1.wav"},
        {"a-1": "one", "a-2": "two words", "b-1": "three"},
        {"a-1": "a", "a-2": "a", "b-1": "b"},
    )


@settings(deadline=None)
@given(entries=st.dictionaries(KEYS, VALUES, min_size=1))
def test_what_is_written_is_read_again_sorted(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("scp") / "text"
    write_scp(path, entries)
    assert list(read_scp(path).items()) == sorted(entries.items())


def test_a_set_is_written_in_kaldis_format_and_loaded_again(tmp_path):
    a_set(tmp_path).write(tmp_path / "set")
    assert (tmp_path / "set" / "wav.scp").read_text() == "a-1 /x/a1.wav\na-2 /x/a 2.wav\nb-1 /x/b1.wav\n"
    assert (tmp_path / "set" / "spk2utt").read_text() == "a a-1 a-2\nb b-1\n"
    loaded = DataDir.load(tmp_path / "set")
    assert loaded.texts == a_set(tmp_path).texts
    assert loaded.by_speaker() == {"a": ["a-1", "a-2"], "b": ["b-1"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1\na 2\n", r"scp:2: 'a' is there twice"),
        ("a 1\nb\n", r"scp:2: 'b' has no value"),
        ("a 1\nb  \n", r"scp:2: 'b' has no value"),
    ],
)
def test_bad_lines_are_named(tmp_path, content, message):
    (tmp_path / "scp").write_text(content)
    with pytest.raises(InputError, match=message):
        read_scp(tmp_path / "scp")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_scp(tmp_path / "nothing")


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "scp").write_bytes(b"a \xff\xfe\n")
    with pytest.raises(InputError, match="not UTF-8"):
        read_scp(tmp_path / "scp")


@pytest.mark.parametrize("name", ["text", "utt2spk"])
def test_files_that_do_not_match_are_named_with_the_first_utterance(tmp_path, name):
    a_set(tmp_path).write(tmp_path)
    lines = (tmp_path / name).read_text().splitlines()
    (tmp_path / name).write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(InputError, match=f"{name}: does not match wav.scp: 1 utterances .* 'a-1'"):
        DataDir.load(tmp_path)


def test_an_empty_set_is_refused(tmp_path):
    for name in ("wav.scp", "text", "utt2spk"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="has no utterance"):
        DataDir.load(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such data directory"):
        DataDir.load(tmp_path / "nothing")


@pytest.mark.parametrize("utterance", ["a/1", ".a"])
def test_an_id_that_cannot_name_a_file_is_refused(tmp_path, utterance):
    one = DataDir(tmp_path, {utterance: "x.wav"}, {utterance: "text"}, {utterance: "a"})
    with pytest.raises(InputError, match="cannot name a file"):
        one.write()
    assert not (tmp_path / "wav.scp").exists()


def test_a_subset_has_only_the_utterances_asked_for(tmp_path):
    part = a_set(tmp_path).subset(["b-1", "a-1"], tmp_path / "part")
    assert list(part.wavs) == ["a-1", "b-1"]
    assert part.texts == {"a-1": "one", "b-1": "three"}
    assert part.path == tmp_path / "part"


def a_cut_set(path):
    recordings = {"a-1": "/x/one/talk.wav", "a-2": "/x/one/talk.wav", "b-1": "/x/two/talk.wav"}
    return replace(
        a_set(path),
        wavs=recordings,
        languages={"a-1": "en", "a-2": "en", "b-1": "de"},
        spans={"a-1": (0.0, 1.5), "a-2": (1.5, 3.25), "b-1": (0.125, 2.0)},
    )


def test_parts_of_recordings_are_written_as_kaldis_segments(tmp_path):
    data = a_cut_set(tmp_path / "set")
    data.write()
    assert (tmp_path / "set" / "wav.scp").read_text() == "1-talk /x/one/talk.wav\n2-talk /x/two/talk.wav\n"
    assert (tmp_path / "set" / "segments").read_text() == (
        "a-1 1-talk 0.000 1.500\na-2 1-talk 1.500 3.250\nb-1 2-talk 0.125 2.000\n"
    )
    assert DataDir.load(tmp_path / "set") == data


def test_a_subset_keeps_languages_and_parts(tmp_path):
    part = a_cut_set(tmp_path).subset(["b-1"])
    assert (part.languages, part.emotions, part.spans) == ({"b-1": "de"}, {}, {"b-1": (0.125, 2.0)})


def test_files_of_an_earlier_writing_do_not_stay(tmp_path):
    a_cut_set(tmp_path).write()
    a_set(tmp_path).write()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spk2utt", "text", "utt2spk", "wav.scp"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a-1 gone 0 1", "'a-1' is of 'gone', which wav.scp lacks"),
        ("a-1 1-talk 2 1", "'a-1' lasts from 2 to 1 s"),
        ("a-1 1-talk zero 1", "'a-1 1-talk zero 1' is not a segment"),
        ("a-1 1-talk 0", "'a-1 1-talk 0' is not a segment"),
    ],
)
def test_bad_segments_are_named(tmp_path, line, message):
    a_cut_set(tmp_path).write()
    rest = (tmp_path / "segments").read_text().splitlines()[1:]
    (tmp_path / "segments").write_text("\n".join([line, *rest]) + "\n")
    with pytest.raises(InputError, match=message):
        DataDir.load(tmp_path)


def test_a_language_for_some_utterances_only_is_refused(tmp_path):
    a_cut_set(tmp_path).write()
    (tmp_path / "utt2lang").write_text("a-1 en\n")
    with pytest.raises(InputError, match="utt2lang: does not match wav.scp: 2 utterances"):
        DataDir.load(tmp_path)
