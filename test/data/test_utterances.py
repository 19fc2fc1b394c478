import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.utterances import DataReader, Utterance, recording_names, write_utterances

UTTERANCES = [
    Utterance("a-1", "a", "one", "/x/one/talk.wav", "en", "", (0.0, 1.5)),
    Utterance("a-2", "b", "two words", "/x/two/talk.wav", "de", "", (1.5, 3.25)),
    Utterance("b-1", "a", "three", "/x/one/talk.wav", "en", "", (0.125, float("inf"))),
]
WHOLE = [one._replace(span=None, language="") for one in UTTERANCES]
NAMES = recording_names({one.wav for one in UTTERANCES})


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("utterances", [UTTERANCES, WHOLE])
def test_what_is_written_is_read_again_and_as_a_set_in_memory(tmp_path, utterances):
    names = NAMES if utterances[0].span else None
    assert write_utterances(tmp_path / "set", iter(utterances), names) == 2
    assert content(tmp_path / "set")["spk2utt"] == "a a-1 b-1\nb a-2\n"
    reader = DataReader(tmp_path / "set")
    for _ in range(2):
        assert list(reader) == utterances
    assert len(reader) == 3
    loaded = DataDir.load(tmp_path / "set")
    assert list(loaded) == utterances
    loaded.write(tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "set")


def test_files_in_any_order_are_read_in_step(tmp_path):
    write_utterances(tmp_path, UTTERANCES, NAMES)
    for number, name in enumerate(("segments", "text", "utt2spk", "utt2lang")):
        lines = (tmp_path / name).read_text().splitlines()
        (tmp_path / name).write_text("\n".join(lines[number % 3 :] + lines[: number % 3]) + "\n")
    assert list(DataReader(tmp_path)) == UTTERANCES


def test_what_reading_finds_is_told_at_once(tmp_path):
    with pytest.raises(InputError, match="no such data directory"):
        DataReader(tmp_path / "none")
    write_utterances(tmp_path, UTTERANCES, NAMES)
    (tmp_path / "text").write_text("a-0 x\na-2 y\nb-1 z\n")
    with pytest.raises(InputError, match="text: does not match wav.scp: 2 utterances .* the first 'a-0'"):
        DataReader(tmp_path)
    (tmp_path / "segments").write_text("a-1 1-talk 2 1\n")
    with pytest.raises(InputError, match="'a-1' lasts from 2 to 1 s"):
        DataReader(tmp_path)
    (tmp_path / "segments").unlink()
    for name in ("wav.scp", "text", "utt2spk", "utt2lang"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match="has no utterance"):
        DataReader(tmp_path)


@pytest.mark.parametrize(
    ("utterances", "error", "message"),
    [
        ([], InputError, "has no utterance"),
        ([WHOLE[0]._replace(utterance="a/1")], InputError, "'a/1' cannot name a file"),
        ([WHOLE[0]._replace(language="en"), WHOLE[1]], InputError, "utt2lang: does not match wav.scp: 1 utt"),
        (WHOLE[::-1], ValueError, "'a-2' comes behind 'b-1'"),
    ],
)
def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path, utterances, error, message):
    write_utterances(tmp_path, WHOLE)
    before = content(tmp_path)
    with pytest.raises(error, match=message):
        write_utterances(tmp_path, utterances)
    assert content(tmp_path) == before
