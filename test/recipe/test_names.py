import pytest
from miniature import RUN

from espnet2_valle.recipe.names import Names
from espnet2_valle.recipe.options import Options


def test_names_follow_from_the_options():
    plain = Names(Options())
    assert (plain.data, plain.raw, plain.index) == ("data/mini", "dump/mini/raw", "dump/mini/index")
    assert (plain.exp, plain.decode, plain.results) == ("exp/mini", "exp/mini/decode", "exp/mini")
    assert plain.resynthesis == "exp/mini/resynthesis"
    assert plain.ar_config == "../../conf/train_ar_mini.yaml"
    assert plain.score_config == "../../conf/score/default.yaml"
    more = Names(Options(speed_perturb_factors="0.9", read_aloud="6", inference_tag="t", model_size="base"))
    assert (more.train_set, more.voiced_set) == ("train_sp_ra", "train_sp")
    assert more.sets.split() == ["train_sp_ra", "valid", "test"]
    assert (more.results, more.baseline_conf) == ("exp/mini/decode_t", "../../conf/baseline/full")


@pytest.mark.parametrize("size", ["base", "paper"])
def test_the_papers_sizes_have_the_papers_codec_and_decoding(size, monkeypatch):
    monkeypatch.chdir(RUN.parent)
    mini, large = Names(Options()), Names(Options(model_size=size))
    assert (mini.codec, mini.codec_config) == ("world", "../../conf/codec/world.yaml")
    assert mini.inference_config == "../../conf/decode.yaml"
    assert (large.codec, large.codec_config) == ("encodec", "../../conf/codec/encodec.yaml")
    assert large.inference_config == "../../conf/decode_paper.yaml"
    chosen = Names(Options(model_size=size, codec="world", inference_config="mine.yaml"))
    assert (chosen.codec, chosen.inference_config) == ("world", "mine.yaml")
    assert chosen.codec_config == "../../conf/codec/world.yaml"


def test_a_list_of_pairs_has_results_and_scores_of_its_own():
    settings = Names(Options(pairs="pairs_continuation"))
    assert (settings.decode, settings.results) == ("exp/mini/decode_continuation",) * 2
    assert settings.resynthesis == "exp/mini/resynthesis_continuation"
    assert settings.score_config == "../../conf/score/continuation.yaml"
    assert Names(Options(pairs="pairs_continuation", inference_tag="t")).decode == "exp/mini/decode_t"


def test_the_test_set_of_one_of_several_corpora_has_results_of_its_own():
    several = {"corpus": "folder folder", "db": "/a /b", "tag": "t"}
    whole, one = Names(Options(**several)), Names(Options(**several, test_sets="test_b"))
    assert (whole.tested_corpus, whole.decode, whole.results) == ("", "exp/t/decode", "exp/t")
    assert (one.tested_corpus, one.decode, one.results) == ("b", "exp/t/decode_b", "exp/t/decode_b")
    assert (one.resynthesis, one.score_config) == ("exp/t/resynthesis_b", "../../conf/score/default.yaml")
    assert one.sets.split() == ["train", "valid", "test_b"]
    continued = Names(Options(**several, test_sets="test_b", pairs="pairs_continuation"))
    assert (continued.decode, continued.pairs_suffix) == ("exp/t/decode_continuation_b", "_continuation_b")
    assert Names(Options(test_sets="test_b")).decode == "exp/mini/decode"  # of one corpus, as ever


def test_another_model_has_a_place_of_its_own_beside_valle():
    ns2 = Names(Options(model="ns2"))
    assert (ns2.exp, ns2.decode, ns2.results) == ("exp/mini", *("exp/mini/decode_ns2",) * 2)
    assert (ns2.index, ns2.timing) == ("dump/mini/index_ns2", "dump/mini/timing")
    assert (ns2.packed, ns2.pack_done) == ("exp/mini/model_ns2.zip", "exp/mini/.done_pack_ns2")
    assert ns2.ns2_config == "../../conf/train_ns2_mini.yaml"
    assert ns2.inference_config == "../../conf/decode_ns2.yaml"
    assert ns2.finetune_config == "../../conf/finetune_ns2.yaml"
    assert ns2.kinds == ("ns2",)
    assert Names(Options(model="ns2", inference_tag="t")).decode == "exp/mini/decode_ns2_t"
    valle = Names(Options())
    assert (valle.packed, valle.pack_done) == ("exp/mini/model.zip", "exp/mini/.done_pack")
    assert (valle.kinds, valle.finetune_config) == (("ar", "nar"), "../../conf/finetune_lora.yaml")
