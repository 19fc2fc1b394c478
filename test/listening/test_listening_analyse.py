"""The analysis: known ratings give known means, and careless raters are left out."""

import json
import random

import pytest
from listening_runs import key_of, make_test, page_of

from espnet2_valle.bin import listening_analyse
from espnet2_valle.common.errors import InputError
from espnet2_valle.listening.analyse import analyse, screen
from espnet2_valle.listening.kinds import KINDS
from espnet2_valle.listening.store import Store

TRUE_VALUES = {"ground_truth": 5, "codec": 4, "valle": 3, "hidden_reference": 100, "anchor": 10}


def fill(test, habit, count=1):
    """Let `count` raters answer everything; `habit` turns a trial of the key into scores."""
    page, key = page_of(test), key_of(test)
    store = Store(test / "ratings.sqlite")
    for number in range(count):
        token = store.new_rater({}, f"a{number}", len(page["blocks"]))["token"]
        rater = store.rater(token)
        for name in [*page["training"], *page["blocks"][rater["block"]]]:
            store.rate(rater["id"], name, habit(key["trials"][name], number), 1.0, 1)
        for name, tone in key["checks"].items():
            store.rate(rater["id"], name, {"choice": tone}, 1.0, 1)
        store.finish(rater["id"])
    store.close()


def truthful(trial, number=0):
    """As the key says; gold as it must be."""
    if trial["role"] == "gold":
        names = list(trial["systems"])
        good = trial["expect"][1] if trial["expect"][1] > 2 else trial["expect"][0]
        return {names[-1]: good} if len(names) == 1 else {names[0]: -good, names[1]: good}
    return {stimulus: TRUE_VALUES[system] for stimulus, system in trial["systems"].items()}


def test_means_are_those_of_the_raters(tmp_path):
    test = make_test(tmp_path)
    fill(test, truthful, count=3)
    result = analyse(test)
    assert {name: system["mean"]["value"] for name, system in result["systems"].items()} == {
        "codec": 4, "ground_truth": 5, "valle": 3,
    }  # fmt: skip
    assert result["systems"]["valle"]["n_ratings"] == 3 * 4
    assert result["raters"] == {"counted": 3, "all": 3, "screened_out": {}}
    found = {(d["system"], d["base"]): d["difference"]["value"] for d in result["differences"]}
    assert found == {("ground_truth", "codec"): 1, ("valle", "codec"): -1, ("valle", "ground_truth"): -2}


def test_intervals_hold_the_mean_and_widen_with_raters_who_disagree(tmp_path):
    agreeing, arguing = make_test(tmp_path / "a"), make_test(tmp_path / "b")
    rng = random.Random(0)

    def noisy(trial, number):
        scores = truthful(trial)
        if trial["role"] == "gold":
            return scores
        return {name: min(5, max(1, value + (number % 3) - 1)) for name, value in scores.items()}

    fill(agreeing, lambda t, n: truthful(t) if rng.random() < 2 else {}, count=6)
    fill(arguing, noisy, count=6)
    calm, wild = (analyse(test)["systems"]["valle"]["mean"] for test in (agreeing, arguing))
    assert calm["low"] == calm["value"] == calm["high"] == 3
    assert wild["low"] < wild["value"] < wild["high"]
    assert analyse(arguing) == analyse(arguing)


def test_careless_raters_are_left_out_and_named(tmp_path):
    test = make_test(tmp_path)
    fill(test, truthful)
    fill(test, lambda trial, _: dict.fromkeys(trial["systems"], 3))
    result = analyse(test)
    assert result["raters"]["counted"] == 1
    assert result["raters"]["screened_out"] == {"2": ["gold 1 of 2", "always the same answer"]}
    assert result["systems"]["ground_truth"]["mean"]["value"] == 5


def test_a_wrong_headphone_check_and_an_early_end_are_reasons(tmp_path):
    test = make_test(tmp_path)
    key = key_of(test)
    answers = {name: {"scores": truthful(trial)} for name, trial in key["trials"].items()}
    checks = {name: {"scores": {"choice": tone % 3 + 1}} for name, tone in key["checks"].items()}
    right = {name: {"scores": {"choice": tone}} for name, tone in key["checks"].items()}
    kind = KINDS["mos"]
    assert screen({"rater": "x", "answers": {**answers, **right}}, key, kind, 14) == []
    assert screen({"rater": "x", "answers": {**answers, **checks}}, key, kind, 14) == [
        "headphone check 0 of 1"
    ]
    few = dict(list(answers.items())[:3])
    assert "of 14" in screen({"rater": "x", "answers": {**few, **right}}, key, kind, 14)[0]


def test_a_comparison_is_the_system_over_its_base(tmp_path):
    test = make_test(tmp_path, kind="cmos")

    def habit(trial, _):
        if trial["role"] == "gold":
            return truthful(trial)
        first, second = trial["systems"]
        value = {"codec": -1, "valle": -2}[trial["systems"][second]]
        return {first: -value, second: value}

    fill(test, habit, count=2)
    result = analyse(test)
    assert {name: s["mean"]["value"] for name, s in result["systems"].items()} == {"codec": -1, "valle": -2}


def test_mushra_leaves_out_who_misses_the_hidden_reference(tmp_path):
    test = make_test(tmp_path, kind="mushra")
    fill(test, truthful)
    fill(test, lambda trial, _: dict.fromkeys(trial["systems"], 50))
    result = analyse(test)
    assert result["systems"]["hidden_reference"]["mean"]["value"] == 100
    assert "hidden reference below 90 in 4 of 4" in result["raters"]["screened_out"]["2"]


def test_what_could_not_be_loaded_is_left_out_and_counted_apart(tmp_path, capsys):
    test = make_test(tmp_path)
    key = key_of(test)
    of_valle = [
        n for n, t in key["trials"].items() if t["role"] == "test" and "valle" in t["systems"].values()
    ]

    def habit(trial, number):
        lost = number == 0 and trial == key["trials"][of_valle[0]]
        return dict.fromkeys(trial["systems"], None) if lost else truthful(trial)

    fill(test, habit, count=2)
    listening_analyse.main(["--test_dir", str(test)])
    result = json.loads((test / "listening.json").read_text())
    assert result["failed"] == {"valle": 1}
    assert result["systems"]["valle"] == {
        "mean": {"value": 3, "low": 3, "high": 3}, "n_ratings": 2 * 4 - 1,
    }  # fmt: skip
    assert result["raters"]["counted"] == 2
    assert "could not be loaded: VALL-E 1" in capsys.readouterr().out


def test_raters_are_screened_by_what_they_could_hear(tmp_path):
    test = make_test(tmp_path)
    key, kind = key_of(test), KINDS["mos"]
    answers = {name: {"scores": truthful(trial)} for name, trial in key["trials"].items()}
    checks = {name: {"scores": {"choice": tone}} for name, tone in key["checks"].items()}
    tested = [name for name, trial in key["trials"].items() if trial["role"] in ("test", "gold")]

    def reasons(unheard, checks=checks):
        lost = {name: {"scores": dict.fromkeys(key["trials"][name]["systems"])} for name in unheard}
        return screen({"rater": "x", "answers": {**answers, **lost, **checks}}, key, kind, len(tested))

    gold = [name for name in tested if key["trials"][name]["role"] == "gold"]
    assert reasons(tested[:5]) == reasons(gold) == []
    assert reasons(tested) == ["answered 0 of 14, 14 could not be loaded"]
    assert reasons([], {name: {"scores": {"choice": None}} for name in checks}) == ["headphone check 0 of 0"]
    few = {name: answers[name] for name in tested[:3]}
    few[tested[3]] = {"scores": dict.fromkeys(key["trials"][tested[3]]["systems"])}
    assert screen({"rater": "x", "answers": {**few, **checks}}, key, kind, 14) == [
        "answered 3 of 14, 1 could not be loaded"
    ]


def test_one_recording_of_a_mushra_page_may_be_missing(tmp_path):
    test = make_test(tmp_path, kind="mushra")

    def habit(trial, number):
        lost = ("codec", "hidden_reference")[number]
        return {name: None if trial["systems"][name] == lost else v for name, v in truthful(trial).items()}

    fill(test, habit, count=2)
    result = analyse(test)
    assert {name: system["n_ratings"] for name, system in result["systems"].items()} == {
        "codec": 4, "valle": 8, "hidden_reference": 4, "anchor": 8,
    }  # fmt: skip
    assert result["failed"] == {"codec": 4, "hidden_reference": 4}


def answers_of(test):
    """What a truthful rater answers to everything."""
    key = key_of(test)
    return {
        n: {"scores": truthful(key["trials"][n]), "seconds": 1, "plays": 1} for n in page_of(test)["trials"]
    }


def sent(file, folder, answers, **others):
    """A file as the page writes it."""
    content = {"test": page_of(folder)["id"], "rater": "abc", "answers": answers, **others}
    file.write_text(json.dumps(content))
    return file


def test_answers_that_raters_sent_are_read(tmp_path, capsys):
    test = make_test(tmp_path, num_checks=0)
    key, answers = key_of(test), answers_of(test)
    file = sent(tmp_path / "answers.json", test, answers)
    listening_analyse.main(["--test_dir", str(test), "--answers", str(file)])
    assert "| Ground truth" in capsys.readouterr().out
    assert json.loads((test / "listening.json").read_text())["systems"]["valle"]["mean"]["value"] == 3
    assert "1 of 1 raters" in (test / "listening.md").read_text()
    lost = next(n for n, trial in key["trials"].items() if "valle" in trial["systems"].values())
    unheard = {**answers, lost: {"scores": dict.fromkeys(answers[lost]["scores"])}}
    assert analyse(test, [sent(file, test, unheard)])["failed"] == {"valle": 1}


def test_files_that_are_none_of_the_page_are_refused(tmp_path):
    test = make_test(tmp_path, num_checks=0)
    answers, file = answers_of(test), tmp_path / "answers.json"
    first = page_of(test)["blocks"][0][0]
    for bad in ({}, {next(iter(answers[first]["scores"])): 900}, {next(iter(answers[first]["scores"])): "5"}):
        with pytest.raises(InputError, match="is no file of answers"):
            analyse(test, [sent(file, test, {**answers, first: {"scores": bad}})])
    for rater in (7, None, "", ["abc"]):
        with pytest.raises(InputError, match="is no file of answers.*rater"):
            analyse(test, [sent(file, test, answers, rater=rater)])
    file.write_text(json.dumps({"test": page_of(test)["id"], "answers": answers}))
    with pytest.raises(InputError, match="is no file of answers.*rater"):
        analyse(test, [file])
    with pytest.raises(InputError, match="answers to another test"):
        analyse(test, [sent(file, test, {}, test="other")])


def test_a_rater_who_sent_two_files_is_one_rater(tmp_path, caplog):
    test = make_test(tmp_path, num_checks=0)
    answers = answers_of(test)
    whole = sent(tmp_path / "answers-abc (1).json", test, answers)
    half = sent(tmp_path / "answers-abc.json", test, dict(list(answers.items())[:3]))
    other = sent(tmp_path / "answers-xyz.json", test, answers, rater="xyz")
    for files in ([half, whole, other], [other, whole, half], [whole, whole, other]):
        caplog.clear()
        result = analyse(test, files)
        assert (result["raters"]["all"], result["raters"]["counted"]) == (2, 2)
        (warning,) = caplog.messages
        assert "is left out" in warning
        assert str(whole) in warning


def test_of_two_files_with_as_many_answers_the_later_name_counts(tmp_path, caplog):
    test = make_test(tmp_path, num_checks=0)
    answers = answers_of(test)
    trial = next(n for n, t in key_of(test)["trials"].items() if list(t["systems"].values()) == ["codec"])
    changed = {**answers, trial: {"scores": dict.fromkeys(answers[trial]["scores"], 1)}}
    first = sent(tmp_path / "answers-abc.json", test, answers)
    second = sent(tmp_path / "answers-abc (1).json", test, changed)
    for files in ([first, second], [second, first]):
        assert analyse(test, files)["systems"]["codec"]["mean"]["value"] < 4
    assert len(caplog.messages) == 2


def test_raters_of_files_are_others_than_those_of_the_server(tmp_path):
    test = make_test(tmp_path, num_checks=0)
    fill(test, truthful)
    careless = {n: {"scores": dict.fromkeys(a["scores"], 3)} for n, a in answers_of(test).items()}
    result = analyse(test, [sent(tmp_path / "1.json", test, careless, rater="1")])
    assert (result["raters"]["all"], result["raters"]["counted"]) == (2, 1)
    assert list(result["raters"]["screened_out"]) == ["answers-1"]
    assert result["systems"]["ground_truth"]["mean"]["value"] == 5


def test_no_ratings_and_no_test_are_said(tmp_path):
    with pytest.raises(InputError, match="has no ratings yet"):
        analyse(make_test(tmp_path))
    with pytest.raises(InputError, match=r"has no key\.json"):
        analyse(tmp_path)
