"""Each named corpus, read from a small folder in its real layout."""

import gzip
import random
from collections import Counter

import corpus_layouts
import pytest
import soundfile
from corpus_layouts import LAYOUTS, recording_of, sound, write

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.abs_corpus import in_share
from espnet2_valle.corpus.named.registry import CORPORA, choose_parts, make_corpus

BY_HAND = ("esd",)  # are handed out by hand


def read(name, root, part):
    return {r.utterance: r for r in make_corpus(name).read(root, part).recordings}


def split(name, root, parts=None):
    corpus = make_corpus(name)
    found = {part: corpus.read(root, part).recordings for part in parts or corpus.default_parts}
    return corpus.split(found, seed=0)


def sizes(splits):
    return {name: len(recordings) for name, recordings in splits.items()}


def test_every_corpus_has_a_layout_and_tells_where_it_comes_from():
    assert LAYOUTS.keys() == set(CORPORA)
    for name in {*CORPORA} - {*BY_HAND}:
        corpus = make_corpus(name)
        archives = corpus.archives(corpus.default_parts)
        assert len({archive.name for archive in archives}) == len(archives) > 0
        assert corpus.home.startswith("https://")
        for archive in archives:
            algorithm, _, digest = archive.checksum.partition(":")
            assert (algorithm, len(digest)) in {("sha256", 64), ("md5", 32), ("", 0)}


@pytest.mark.parametrize("name", CORPORA)
def test_its_folder_is_found_in_itself_beside_and_under_another_name(tmp_path, name):
    root = LAYOUTS[name](tmp_path)
    corpus = make_corpus(name)
    assert corpus.root(root) == root
    assert corpus.root(tmp_path) == root
    renamed = root.rename(tmp_path / "Our copy")
    assert corpus.root(tmp_path) == renamed


@pytest.mark.parametrize("name", CORPORA)
def test_another_folder_is_refused_with_the_way_out(tmp_path, name):
    write(tmp_path / "readme.txt", "nothing here")
    with pytest.raises(InputError, match=r"does not hold .*Give --db the folder .*https://.* download it"):
        make_corpus(name).root(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        make_corpus(name).root(tmp_path / "gone")


@pytest.mark.parametrize("name", ["libritts", "librispeech", "aishell3", "libriheavy", "librilight"])
def test_a_part_that_is_not_there_is_named(tmp_path, name):
    root = LAYOUTS[name](tmp_path)
    corpus = make_corpus(name)
    part = {"aishell3": "train", "libriheavy": "large", "librilight": "large"}.get(name, "train-other-500")
    if name == "aishell3":
        (root / part).rename(root / "elsewhere")
    with pytest.raises(InputError, match=f"the part '{part}' is not there"):
        corpus.read(root, part)


def test_ljspeech(tmp_path):
    root = LAYOUTS["ljspeech"](tmp_path)
    found = read("ljspeech", root, "all")
    first = found["LJ001-0001"]
    assert (first.speaker, first.text, first.language) == ("LJ", 'text one of "LJ001-0001', "en")
    assert first.wav == str(root / "wavs" / "LJ001-0001.wav")
    splits = split("ljspeech", root)
    assert [r.utterance for r in splits["test"]] == ["LJ002-0009", "LJ002-0010"]
    assert [r.utterance for r in splits["valid"]] == ["LJ002-0007", "LJ002-0008"]
    assert sizes(splits) == {"train": 16, "valid": 2, "test": 2}


def test_ljspeech_with_a_broken_line(tmp_path):
    root = LAYOUTS["ljspeech"](tmp_path)
    write(root / "metadata.csv", "LJ001-0001|one|one\nLJ001-0002|two\n")
    with pytest.raises(InputError, match="metadata.csv:2: has 2 columns, not 3"):
        make_corpus("ljspeech").read(root, "all")


def test_vctk(tmp_path):
    root = LAYOUTS["vctk"](tmp_path)
    found = make_corpus("vctk").read(root, "all")
    assert found.bad == {}  # what is known to be incomplete counts as little as what is there
    assert Counter(r.speaker for r in found.recordings) == dict.fromkeys(["p225", "p226", "p227", "s5"], 30)
    first = found.recordings[0]
    assert (first.utterance, first.text) == ("p225_001", "Sentence 1.")
    assert first.wav.endswith("p225/p225_001_mic2.flac")
    splits = split("vctk", root)
    assert {r.speaker for r in splits["test"]} == {"p225"}
    assert {r.speaker for r in splits["train"]} == {"p226", "p227", "s5"}
    assert not {r.text for r in splits["train"]} & {r.text for r in splits["valid"]}


def test_vctk_of_2012(tmp_path):
    found = read("vctk", corpus_layouts.vctk_080(tmp_path), "all")
    assert len(found) == 60
    assert found["p226_030"].wav.endswith("wav48/p226/p226_030.wav")


@pytest.mark.parametrize("name", ["libritts", "libritts_r"])
def test_libritts(tmp_path, name):
    root = LAYOUTS[name](tmp_path)
    first = read(name, root, "dev-clean")["11_77_000000_000000"]
    assert (first.speaker, first.text) == ("11", "Doctor 11_77_000000_000000.")
    splits = split(name, root, ["train-clean-100", "dev-clean", "test-clean"])
    assert sizes(splits) == {"train": 12, "valid": 12, "test": 12}
    assert {r.speaker for r in splits["test"]} == {"21", "22"}


def test_libritts_without_a_dev_part_holds_texts_out(tmp_path):
    splits = split("libritts", LAYOUTS["libritts"](tmp_path), ["train-clean-100", "test-clean"])
    assert sizes(splits) == {"train": 11, "valid": 1, "test": 12}


def test_librispeech(tmp_path):
    root = LAYOUTS["librispeech"](tmp_path)
    first = read("librispeech", root, "test-clean")["21-77-0000"]
    assert (first.speaker, first.text) == ("21", "don't say 0")
    assert sizes(split("librispeech_test", root)) == {"test": 8}


def test_aishell3(tmp_path):
    root = LAYOUTS["aishell3"](tmp_path)
    first = read("aishell3", root, "train")["SSB00050001"]
    assert (first.speaker, first.text, first.language) == ("SSB0005", "广州丁", "zh")
    splits = split("aishell3", root)
    assert {r.speaker for r in splits["test"]} == {"SSB0005", "SSB0011"}
    assert all(r.wav.startswith(str(root / "test")) for r in splits["test"])
    assert not {r.text for r in splits["train"]} & {r.text for r in splits["valid"]}


def test_emovdb(tmp_path):
    root = LAYOUTS["emovdb"](tmp_path)
    found = read("emovdb", root, "all")
    one = found["bea-angry-anger_1-28_0020"]
    assert (one.speaker, one.emotion, one.text) == ("bea", "angry", "Sentence 20, he said.")
    assert Counter((r.speaker, r.emotion) for r in found.values()) == {
        ("bea", "amused"): 40,
        ("bea", "angry"): 40,
        ("sam", "sleepy"): 40,
        ("josh", "neutral"): 40,
    }
    splits = split("emovdb", root)
    texts = {name: {r.text for r in recordings} for name, recordings in splits.items()}
    assert texts["test"] == {"Sentence 20, he said.", "Sentence 40, he said."}
    assert not texts["test"] & (texts["train"] | texts["valid"])
    assert not texts["valid"] & texts["train"]
    assert {r.emotion for r in splits["test"]} == {"amused", "angry", "sleepy", "neutral"}


def test_emovdb_in_sorted_folders(tmp_path):
    write(tmp_path / "cmuarctic.data", '( arctic_a0003 "Three." )\n')
    sound(tmp_path / "jenie" / "Disgust" / "disgust_1-28_0003.wav")
    sound(tmp_path / "sam" / "Angry" / "0003.wav")
    sound(tmp_path / "sam" / "Angry" / "anger_0004.wav")
    sound(tmp_path / "who" / "Angry" / "anger_0003.wav")
    found = make_corpus("emovdb").read(tmp_path, "all")
    told = {(r.speaker, r.emotion, r.text) for r in found.recordings}
    assert told == {("jenie", "disgusted", "Three."), ("sam", "angry", "Three.")}
    assert "cmuarctic.data has no sentence 0004" in str(found.bad["sam/Angry/anger_0004.wav"])
    assert "does not tell speaker" in str(found.bad["who/Angry/anger_0003.wav"])


def test_esd(tmp_path):
    root = LAYOUTS["esd"](tmp_path)
    one = read("esd", root, "en")["0011_000351"]
    assert (one.speaker, one.emotion, one.language, one.text) == (
        "0011",
        "angry",
        "en",
        "The nine the eggs 1.",
    )
    assert {r.emotion for r in read("esd", root, "zh").values()} == {"neutral", "angry", "surprised"}
    assert read("esd", root, "zh")["0004_000001"].text == "打远一看 1."
    splits = split("esd", root)
    assert sizes(splits) == {"train": 24, "valid": 12, "test": 12}
    texts = {name: {r.text for r in recordings} for name, recordings in splits.items()}
    assert not texts["test"] & (texts["train"] | texts["valid"])
    assert {r.language for r in sum(split("esd", root, ["en", "zh"]).values(), [])} == {"en", "zh"}


def test_esd_with_spaces_and_without_sets(tmp_path):
    write(tmp_path / "0012" / "0012.txt", "0012_000001 A sentence of words. Neutral\n")
    sound(tmp_path / "0012" / "Neutral" / "0012_000001.wav")
    sound(tmp_path / "0012" / "Neutral" / "0012_000002.wav")
    sound(tmp_path / "0012" / "0012_000003.wav")
    found = make_corpus("esd").read(tmp_path, "en")
    assert [(r.text, r.emotion) for r in found.recordings] == [("A sentence of words.", "neutral")]
    assert "has no transcript" in str(found.bad["0012_000002"])
    assert "lies in no folder of an emotion" in str(found.bad["0012_000003"])
    with pytest.raises(InputError, match="the part 'zh' is not there"):
        make_corpus("esd").read(tmp_path, "zh")


def test_esd_is_handed_out_by_hand():
    with pytest.raises(InputError, match="handed out there by hand.*give its folder as --db"):
        make_corpus("esd").archives(["en"])


def test_an4(tmp_path):
    root = LAYOUTS["an4"](tmp_path)
    train = read("an4", root, "train")
    one = train["mgah-an253-mgah-b"]
    assert (one.speaker, one.text, one.language) == ("mgah", "july first", "en")
    assert one.wav == str(root / "wav" / "an4_clstk" / "mgah" / "an253-mgah-b.sph")
    assert soundfile.info(one.wav).format == "NIST"
    assert train["mgah-an251-mgah-b"].text == "rubout a- g seven"  # which is the letter
    assert read("an4", root, "test")["fcaw-an252-fcaw-b"].text == "start"


def test_an4_with_a_line_of_another_form(tmp_path):
    root = LAYOUTS["an4"](tmp_path)
    write(root / "etc" / "an4_test.transcription", "START (an1-fcaw-b)\nSTOP an2-fcaw-b\n")
    with pytest.raises(InputError, match="an4_test.transcription:2: 'STOP an2-fcaw-b' is not `TEXT"):
        make_corpus("an4").read(root, "test")


@pytest.mark.parametrize("name", ["an4", "speechocean762"])
def test_each_set_has_speakers_of_its_own(tmp_path, name):
    splits = split(name, LAYOUTS[name](tmp_path))
    speakers = {name: {r.speaker for r in recordings} for name, recordings in splits.items()}
    assert {name: len(each) for name, each in speakers.items()} == {"train": 2, "valid": 1, "test": 2}
    assert len(set.union(*speakers.values())) == 5


def choose(root, part, **conf):
    found = make_corpus("speechocean762", conf=conf).read(root, part)
    assert found.bad == {}
    return {r.utterance: r for r in found.recordings}


def test_speechocean762_without_what_is_mispronounced_and_children_in_the_test(tmp_path):
    root = LAYOUTS["speechocean762"](tmp_path)
    train, test = choose(root, "train"), choose(root, "test")
    one = train["0001-000010021"]
    assert (one.speaker, one.text, one.language) == ("0001", "we call it bear 2", "en")
    assert one.wav == str(root / "WAVE" / "SPEAKER0001" / "000010021.WAV")
    assert Counter(r.speaker for r in train.values()) == {"0001": 3, "0003": 3, "0005": 3}
    assert Counter(r.speaker for r in test.values()) == {"1156": 3, "1160": 3}


def test_speechocean762_as_it_is(tmp_path):
    root = LAYOUTS["speechocean762"](tmp_path)
    assert len(choose(root, "train", min_accuracy=0)) == 12
    assert len(choose(root, "train", min_accuracy=9.5)) == 0
    assert {r.speaker for r in choose(root, "test", min_test_age=0).values()} == {"0002", "1156", "1160"}
    assert {r.speaker for r in choose(root, "test", min_test_age=20).values()} == {"1156"}


def test_speechocean762_without_scores_or_ages_says_how_to_go_on(tmp_path):
    root = LAYOUTS["speechocean762"](tmp_path)
    write(root / "test" / "spk2age", "0002\t6\n")
    with pytest.raises(InputError, match="spk2age: does not tell the age .*--corpus_conf min_test_age=0"):
        choose(root, "test")
    (root / "resource" / "scores.json").rename(root / "scores.json")
    assert len(choose(root, "train")) == 9
    write(root / "scores.json", "{}")
    with pytest.raises(InputError, match="scores.json: does not tell the accuracy .*min_accuracy=0"):
        choose(root, "train")
    (root / "scores.json").unlink()
    with pytest.raises(InputError, match="resource/scores.json: no such file. Unpack it, or take all clips"):
        choose(root, "train")


def test_a_corpus_has_only_its_own_options():
    with pytest.raises(InputError, match="--corpus_conf of VCTK: there is no option 'min_accuracy'"):
        make_corpus("vctk", conf={"min_accuracy": 7})
    with pytest.raises(InputError, match="there is no option 'accuracy'. Choose among min_accuracy, min_tes"):
        make_corpus("speechocean762", conf={"accuracy": 7})


def test_libriheavy_joins_sentences_for_training_only(tmp_path):
    root = LAYOUTS["libriheavy"](tmp_path)
    train = list(read("libriheavy", root, "small").values())
    assert [r.span for r in train] == [(0.0, 19.0), (19.5, 38.5)]
    assert train[0].text == " ".join(f"Sentence {n}, he said." for n in range(3))
    assert train[0].speaker == "100"
    assert train[0].utterance == "100-sea_fairies_librivox_64kb_mp3-01_sea_64kb-00000000-00019000"
    sound_file = root / "download" / "librilight" / f"{recording_of('100')}.flac"
    assert train[0].wav == str(sound_file)
    test = list(read("libriheavy", root, "test_clean").values())
    assert [r.span for r in test][:2] == [(0.0, 3.0), (3.5, 6.5)]
    assert sizes(split("libriheavy", root)) == {"train": 2, "valid": 6, "test": 6}


def test_libriheavy_beside_the_folders_of_librilight(tmp_path):
    root = LAYOUTS["libriheavy"](tmp_path)
    (root / "download" / "librilight" / "small").rename(root / "small")
    (root / "download" / "librilight").rmdir()
    assert len(read("libriheavy", root, "small")) == 2


def test_libriheavy_without_its_sound_is_told(tmp_path):
    root = LAYOUTS["libriheavy"](tmp_path)
    (root / "download" / "librilight" / f"{recording_of('101')}.flac").unlink()
    found = make_corpus("libriheavy").read(root, "dev")
    assert (found.recordings, list(found.bad)) == ([], [recording_of("101")])


def test_a_manifest_that_was_made_for_recognisers_is_refused(tmp_path):
    root = LAYOUTS["libriheavy"](tmp_path)
    with gzip.open(root / "libriheavy_cuts_small.jsonl.gz", "wt") as stream:
        stream.write('{"id": "x", "start": 0, "duration": 1, "supervisions": [{"text": "x"}]}\n')
    with pytest.raises(InputError, match="small.jsonl.gz:1: is not a cut of Libriheavy"):
        make_corpus("libriheavy").read(root, "small")


def test_librilight_is_cut_at_pauses(tmp_path):
    root = LAYOUTS["librilight"](tmp_path)
    found = [r for r in make_corpus("librilight").read(root, "small").recordings if r.speaker == "100"]
    # Of the longer pauses within 20 s the last, and the end.
    assert [len(r.text.split()) for r in found] == [28, 32]
    assert found[0].text.split()[0] == "word0"
    assert found[1].text.split()[0] == "word28"
    assert found[0].span == (0.0, pytest.approx(27 * 0.55 + 0.4 + 0.5))


def test_librilight_holds_the_same_speakers_out_whatever_else_is_there():
    names = [str(random.Random(n).randrange(20_000)) for n in range(2_000)]
    held_out = [name for name in names if in_share(name, 0, 0.01)]
    assert 5 <= len(held_out) <= 45
    assert held_out == [name for name in names if in_share(name, 0, 0.01)]
    assert not any(in_share(name, 0.01, 0.02) for name in held_out)


def test_librilight_without_alignment_says_what_is_needed(tmp_path):
    root = LAYOUTS["librilight"](tmp_path)
    (root / "alignments" / "small.ctm").unlink()
    with pytest.raises(InputError, match="small.ctm: is not there: Libri-Light has no transcripts"):
        make_corpus("librilight").read(root, "small")


def test_a_line_that_is_no_words_time_is_named(tmp_path):
    root = LAYOUTS["librilight"](tmp_path)
    write(root / "alignments" / "small.ctm", "rec 1 zero 0.5 word\n")
    with pytest.raises(InputError, match="small.ctm:1: 'rec 1 zero 0.5 word' is not a word's time"):
        make_corpus("librilight").read(root, "small")


def test_what_lacks_its_other_half_is_counted_with_the_reason(tmp_path):
    root = LAYOUTS["libritts"](tmp_path)
    folder = root / "dev-clean" / "11" / "77"
    (folder / "11_77_000000_000000.wav").unlink()
    (folder / "11_77_000001_000000.normalized.txt").unlink()
    write(folder / "11_77_000002_000000.normalized.txt", " \n")
    found = make_corpus("libritts").read(root, "dev-clean")
    assert {name: error.problem for name, error in found.bad.items()} == {
        "11_77_000000_000000": "'11_77_000000_000000' has a transcript and no sound file",
        "11_77_000001_000000": "has no transcript",
        "11_77_000002_000000": "the transcript of '11_77_000002_000000' is empty",
    }
    assert len(found.recordings) == 9


def test_parts_are_chosen_by_name():
    corpus = make_corpus("libritts")
    assert choose_parts(corpus, None) == corpus.default_parts
    assert choose_parts(corpus, "dev-clean,test-other") == ["dev-clean", "test-other"]
    for given in ("train", "", "dev-clean,devclean"):
        with pytest.raises(InputError, match="--parts: LibriTTS has no part .*Choose among train-clean-100"):
            choose_parts(corpus, given)


@pytest.mark.parametrize(
    "name", ["ljspeech", "vctk", "libritts", "librispeech", "aishell3", "emovdb", "an4", "speechocean762"]
)
def test_a_copy_as_people_keep_it_is_read_as_the_released_one(tmp_path, name):
    root = LAYOUTS[name](tmp_path)
    part = make_corpus(name).default_parts[0]
    released = read(name, root, part)
    sounds = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in (".wav", ".flac", ".sph")]
    for number, path in enumerate(sounds):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")  # macOS was here
        if number % 3 == 0:
            path.rename(path.with_suffix(path.suffix.upper()))
        elif number % 3 == 1:
            path.rename(path.with_suffix(".mp3"))
        else:  # converted beside it: the corpus' own stays the one that is taken
            path.with_suffix(".ogg").touch()
    for path in [path for path in root.rglob("*.txt") if path.name != "content.txt"]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\xff")
    folder = sounds[0].parent
    folder.rename(tmp_path / "on another disk")
    folder.symlink_to(tmp_path / "on another disk")
    found = read(name, root, part)
    assert found.keys() == released.keys()
    assert {(r.text, r.speaker, r.emotion) for r in found.values()} == {
        (r.text, r.speaker, r.emotion) for r in released.values()
    }
    assert not [r.wav for r in found.values() if r.wav.endswith(".ogg") or "/._" in r.wav]


@pytest.mark.parametrize("name", ["libriheavy", "librilight"])
def test_long_recordings_may_have_been_converted(tmp_path, name):
    root = LAYOUTS[name](tmp_path)
    part = make_corpus(name).default_parts[0]
    released = read(name, root, part)
    for path in sorted(root.rglob("*.flac")):
        path.rename(path.with_suffix(".opus"))
    found = read(name, root, part)
    assert found.keys() == released.keys()
    assert {r.wav[-5:] for r in found.values()} == {".opus"}
