import shlex

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import Settings


def test_workers_are_those_of_the_machine_unless_they_are_given():
    assert int(Settings(Options()).nj) >= 1
    settings = Settings(Options(nj="3", cluster="slurm.yaml"))
    assert settings.inference_nj == "3"
    assert settings.variables()["workers"] == ["--nj", "3", "--cluster", "slurm.yaml"]


def test_gpus_are_used_in_batches_unless_another_size_is_given():
    def of(**options):
        found = Settings(Options(**options)).variables()
        return found["device"], found["batch_size"]

    assert of() == ("cpu", "1")
    assert of(gpu_inference=True) == ("cuda", "16")
    assert of(gpu_inference=True, batch_size="64") == ("cuda", "64")
    assert of(batch_size="4") == ("cpu", "4")


def test_the_shell_is_told_what_follows_from_the_model_size():
    said = Settings(Options(model_size="paper")).variables()
    assert (said["codec"], said["inference_config"]) == ("encodec", "../../conf/decode_paper.yaml")
    assert said["join_seconds"] == ""  # as the training config says
    assert Settings(Options()).variables()["codec"] == "world"


def test_a_share_has_two_models_and_nothing_else():
    settings = Settings(Options(train_share="0.25"))
    assert (settings.exp, settings.whole_exp) == ("exp/mini_0.25", "exp/mini")
    assert settings.train_index == "dump/mini/index/train_0.25"
    assert settings.stages == [5, 6]


@pytest.mark.parametrize(
    ("options", "stages"),
    [
        ({}, list(range(1, 11))),
        ({"stage": 3, "stop_stage": 5}, [3, 4, 5]),
        ({"stage": 0, "stop_stage": 99, "skip_eval": True}, [1, 2, 3, 4, 5, 6, 10]),
        ({"stage": 10, "skip_upload_hf": False, "hf_repo": "lab/valle"}, [10, 11]),
        ({"skip_upload_hf": False, "hf_repo": "lab/valle", "download_model": "a.zip"}, [1, 2, 7, 8, 9]),
        ({"skip_data_prep": True, "skip_train": True}, [7, 8, 9, 10]),
        ({"download_model": "a.zip"}, [1, 2, 7, 8, 9]),
        ({"stage": 5, "stop_stage": 4}, []),
    ],
)
def test_stages_are_those_asked_for_that_are_of_use(options, stages):
    assert Settings(Options(**options)).stages == stages


def test_pieces_are_no_units_for_a_recogniser_of_phones():
    settings = Settings(Options(token_type="bpe", cleaner="tacotron"))
    assert settings.text_options[-2:] == ["--bpemodel", "dump/mini/token/bpe.model"]
    assert settings.phone_options == ["--token_type", "char", "--cleaner", "tacotron"]
    assert Settings(Options()).phone_options == Settings(Options()).text_options


def test_a_packed_model_speaks_in_place_of_the_runs_own(tmp_path):
    packed = tmp_path / "a.zip"
    packed.touch()
    settings = Settings(Options(download_model=str(packed)))
    assert settings.model_options == settings.codec_options == ["--model_tag", str(packed)]
    assert settings.model_done == settings.codec_done == [str(packed)]
    assert Settings(Options(download_model="zoo/name")).model_done == []
    own = Settings(Options())
    assert own.model_done == ["exp/mini/ar/.done", "exp/mini/nar/.done"]
    assert own.model_options[-2:] == own.codec_options == ["--codec_config", "exp/mini/codec/codec.yaml"]


def test_scorers_are_loaded_before_models_are_trained_for_them(tmp_path):
    def loads(**options):
        return Settings(Options(expdir=str(tmp_path), **options)).loads_scorers

    assert loads(score_config="mine.yaml")
    assert not loads()
    assert not loads(score_config="mine.yaml", stop_stage=7)
    assert not loads(score_config="mine.yaml", skip_train=True)
    for kind in ("ar", "nar"):
        (tmp_path / "mini" / kind).mkdir(parents=True)
        (tmp_path / "mini" / kind / ".done").touch()
    assert not loads(score_config="mine.yaml")


def preparations(**options):
    return [shlex.split(line) for line in Settings(Options(**options)).preparations.splitlines()]


def test_one_corpus_is_prepared_where_it_is_read():
    assert preparations(local_data_opts="--config mini.yaml") == [
        ["prepare", "mini", "", "data/mini", "test", "false", "--config", "mini.yaml"]
    ]
    one = {"corpus": "folder", "db": "/my x", "tag": "x", "test_sets": "other", "local_data_opts": "--seed 1"}
    words = ["prepare", "folder", "/my x", "data/x", "other", "false", "--max_bad", "0.01", "--seed", "1"]
    assert preparations(**one) == [words]
    assert Settings(Options(**one)).parts == []


def test_each_of_several_corpora_is_prepared_by_itself():
    several = {"corpus": "folder vctk", "db": "'/my x' /y", "tag": "t"}
    options = "--seed 1 my_x: --num_test_speakers 2 vctk: --nothing"
    found = preparations(**several, local_data_opts=options)
    common = ["test", "false", "--max_bad", "0.01", "--seed", "1"]
    assert found == [
        ["prepare", "folder", "/my x", "data/t/corpora/my_x", *common, "--num_test_speakers", "2"],
        ["prepare", "vctk", "/y", "data/t/corpora/vctk", *common, "--nothing"],
    ]
    settings = Settings(Options(**several))
    assert settings.parts == ["--part", "my_x=data/t/corpora/my_x", "--part", "vctk=data/t/corpora/vctk"]
    assert settings.variables()["part_done"] == ["data/t/corpora/my_x/.done", "data/t/corpora/vctk/.done"]
    with pytest.raises(
        InputError, match="--local_data_opts: 'x' is none of the corpora. Write one of my_x vctk"
    ):
        preparations(**several, local_data_opts="x: --seed 1")


def test_of_several_corpora_those_in_the_recipes_folder_are_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    db = f"{tmp_path}/downloads/vctk /elsewhere/downloads/an4"
    for download in (True, False):
        found = preparations(corpus="vctk an4", db=db, download=download)
        assert [words[5] for words in found] == [str(download).lower(), "false"]


def test_weights_of_corpora_go_to_both_models():
    several = {"corpus": "folder vctk", "db": "/x /y"}
    weighted = Settings(Options(**several, corpus_weights="x=2 vctk=.5"))
    assert weighted.training_options("--a")[:2] == ["--corpus_weights", '{"x": 2.0, "vctk": 0.5}']
    assert Settings(Options(**several)).training_options("--a") == ["--a"]
    for wrong in ("z=2", "x", "x=-1", "=2", "x=two"):
        with pytest.raises(
            InputError, match=r"is not NAME=NUMBER .*Give such as x=2; the corpora are x vctk"
        ):
            _ = Settings(Options(**several, corpus_weights=wrong)).corpus_weights
    with pytest.raises(InputError, match="Leave it out: it is for several corpora"):
        _ = Settings(Options(corpus_weights="mini=2")).corpus_weights
