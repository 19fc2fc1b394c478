from espnet2_valle.data.ids import LONGEST_ID, corpus_of, shortened, within


def test_a_long_name_is_cut_and_still_its_own():
    first, second = (shortened("é" * 120 + end, 100) for end in "ab")
    assert len(first.encode()) <= 100
    assert first != second
    assert shortened("é" * 50, 100) == "é" * 50


def test_names_of_corpora_stand_before_and_tell_it():
    assert within("an4", "fash-an251") == "an4-fash-an251"
    assert len(within("an4", "x" * LONGEST_ID).encode()) == LONGEST_ID
    corpora = {"an4", "so762"}
    assert corpus_of("an4-fash", corpora) == corpus_of("sp0.9-an4-fash", corpora) == "an4"
    assert corpus_of("an4_2-fash", corpora) == corpus_of("espeak-en+m3", corpora) == ""
    assert corpus_of("an4-so762-x", corpora) == "an4"
