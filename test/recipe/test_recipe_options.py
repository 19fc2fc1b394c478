import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.help import help_text
from espnet2_valle.recipe.options import FIELDS, Options, make_options, read_words


def options(*words):
    return make_options(read_words(words))


def test_an_option_is_given_as_kaldi_scripts_have_it():
    words = [
        "--stop_stage",
        "3",
        "--stop-stage=4",
        "--ar_args",
        "--max_epoch 5",
        "--skip-train",
        "true",
        "--tag=a=b",
    ]
    given = read_words(words)
    assert given == {"stop_stage": "4", "ar_args": "--max_epoch 5", "skip_train": "true", "tag": "a=b"}
    assert options(*words[:-1]) == Options(stop_stage=4, ar_args="--max_epoch 5", skip_train=True)


def test_numbers_go_to_commands_as_they_are_given():
    assert options("--max_duration", "20.0", "--db", "").max_duration == "20.0"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tokn_type", "char"], r"./valle.sh: unknown option '--tokn_type'. See ./valle.sh --help"),
        (["--PATH", "x"], "unknown option '--PATH'"),
        (["-x"], "unexpected argument '-x'"),
        (["--", "more"], "unexpected argument 'more'"),
        (["--stage"], "option '--stage' has no value"),
        (["--stage", "-1"], "--stage: '-1' is not a whole number"),
        (["--nbpe="], "--nbpe: '' is not a whole number"),
        (["--download", "yes"], "option '--download' is true or false, not 'yes'"),
        (["--nj", "0"], "--nj: 0 is out of range. Give 1 or more"),
        (["--nj", "two"], "--nj: 'two' is not a whole number"),
        (["--inference_nj", "-1"], "--inference_nj: -1 is out of range"),
        (["--nj", "1.5"], "--nj: '1.5' is not a whole number"),
        (["--fs", "0"], "--fs: 0 is out of range"),
        (["--max_bad", "1%"], "--max_bad: '1%' is not a number"),
        (["--max_bad", "2"], "--max_bad: 2 is out of range. Give 0 to 1"),
        (["--max_duration", "nan"], "--max_duration: nan is out of range"),
        (["--max_duration", ""], "--max_duration: '' is not a number"),
        (["--min_duration", "30"], "--min_duration: 30 s is more than --max_duration"),
        (["--join_seconds", "-8"], "--join_seconds: -8 is out of range"),
        (["--pairs", "x"], "--pairs: there is no list 'x'. Give pairs, pairs_continuation or pairs_across"),
        (["--token_type", "phones"], "--token_type: there is no 'phones'. Choose among phn, char, bpe"),
        (["--read_aloud", "06"], "--read_aloud: '06' is not a number of sentences"),
        (["--shard_size", "0"], "--shard_size: '0' is not a number of utterances"),
        (["--tag", ".hidden"], "--tag: '.hidden' cannot name a folder"),
        (["--test_sets", "a b"], "--test_sets: 'a b': a run has one test set"),
        (["--skip_upload_hf", "false"], "no repository is named. Add --hf_repo LAB/NAME"),
        (["--hf_repo", "valle"], "--hf_repo: 'valle' cannot name a repository"),
        (["--train_share", "0.0"], "--train_share: '0.0' is not a number between 0 and 1"),
        (["--train_share", ".5", "--baseline", "vits"], "Leave out --baseline"),
        (["--codec_model", "c", "--init_model", "m"], "--codec_model: a packed model has its codec in it"),
        (["--init_model", "m", "--nar_config", "c"], "--init_model: gives the models their shape"),
    ],
)
def test_what_is_wrong_is_named(words, message):
    with pytest.raises(InputError) as caught:
        options(*words)
    assert message in str(caught.value)


def test_the_help_has_every_option():
    shown = help_text()
    assert all(f"  --{name} " in shown for name in FIELDS)
    assert "--skip_train false " in shown
    assert max(map(len, shown.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "gpt"], "--model: there is no 'gpt'. Choose among valle, ns2"),
        (["--model", "ns2", "--ar_args", "--max_epoch 1"], "--ar_args: is not for --model ns2"),
        (["--ns2_args", "--max_epoch 1"], "--ns2_args: is not for --model valle"),
        (
            ["--model", "ns2", "--textgrids", "d", "--align_phones", "true"],
            "TextGrids tell durations already",
        ),
    ],
)
def test_options_of_another_model_are_told(words, message):
    with pytest.raises(InputError, match=message):
        make_options(read_words(words))
