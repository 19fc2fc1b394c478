"""A model as a key: what a worker opens once, and what a decoding folder is known by."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from espnet2_valle.asr.recognizer import NoRecognizer
from espnet2_valle.common.registry import Registry
from espnet2_valle.generate import choosing
from espnet2_valle.generate.decode_pairs import folder_options
from espnet2_valle.generate.decoding_folder import DecodingFolder
from espnet2_valle.generate.opening import ModelSpec, open_streamer, open_text2speech
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.zoo.trained import ModelFiles

# options.json of a decoding folder as it has been written since there are choosers.
KNOWN = {
    "model_tag": "model.zip",
    "device": "cpu",
    "seed": 0,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 0.6,
    "min_p": 0.0,
    "repetition_window": 0,
    "repetition_threshold": 0.1,
    "repetition_counts_drawn": False,
    "min_duration_ratio": 0.3,
    "max_duration_ratio": 3.0,
    "max_repeat_seconds": 2.0,
    "best_of": 8,
    "retries": 0,
    "dtype": "float32",
    "native": "auto",
    "cuda_graphs": False,
    "chooser": {"name": "phones", "judge_dir": "exp/judge_phones"},
}
UNSIGNED = {"watermark": "none", "watermark_key": "espnet2_valle", "watermark_payload": 0}
OPTIONS = DecodingOptions(
    top_p=0.6,
    max_repeat_seconds=2.0,
    best_of=8,
    chooser="phones",
    chooser_conf={"judge_dir": "exp/judge_phones"},
    watermark="none",
)


def test_what_a_folder_is_known_by_stays_as_it_was():
    spec = ModelSpec(ModelFiles(model_tag="model.zip"), options=OPTIONS)
    assert spec.to_dict() == {**KNOWN, **UNSIGNED}
    assert ModelSpec.from_dict({**KNOWN, **UNSIGNED}) == spec
    assert ModelSpec.from_dict(KNOWN).options.watermark == "spread"  # of a study that said nothing of it
    likeliest = ModelSpec(ModelFiles(codec_config=Path("codec.yaml")))
    assert "chooser" not in likeliest.to_dict()
    assert likeliest.to_dict()["codec_config"] == "codec.yaml"
    assert ModelSpec.from_dict(json.loads(json.dumps(likeliest.to_dict()))).to_dict() == likeliest.to_dict()


def test_a_folder_that_was_decoded_before_is_done(tmp_path):
    earlier = {**KNOWN, "streaming": False, "recognizer": "phones (judge_dir exp/judge_phones)"}
    (tmp_path / "options.json").write_text(json.dumps({"options": earlier, "modified": {}}))
    (tmp_path / "journal.jsonl").write_text('{"p1": ["ok", 1, "digest"]}\n')
    spec = ModelSpec(ModelFiles(model_tag="model.zip"), options=OPTIONS)
    assert DecodingFolder(tmp_path, folder_options(spec, False), {"p1": "digest"}).done == {"p1": ("ok", 1)}
    signed = replace(spec, options=replace(OPTIONS, watermark="spread"))
    assert not DecodingFolder(tmp_path, folder_options(signed, False), {"p1": "digest"}).done


def test_equal_specifications_are_one_model(files):
    for opened in (open_text2speech, open_streamer):  # by other tests, of the same files
        opened.cache_clear()
    spec = ModelSpec(ModelFiles(**files))
    again = pickle.loads(pickle.dumps(ModelSpec(ModelFiles(**files), "cpu", DecodingOptions())))
    assert open_text2speech(spec) is open_text2speech(again)
    assert open_streamer(again).ar is open_text2speech(spec).ar
    assert open_text2speech(ModelSpec(ModelFiles(**files), options=DecodingOptions(seed=1))).seed == 1


def test_the_model_gets_the_recogniser(files, monkeypatch):
    pytest.importorskip("jiwer")
    monkeypatch.setattr(choosing, "CHOOSERS", Registry("chooser", {"deaf": NoRecognizer}))
    spec = ModelSpec(ModelFiles(**files), options=DecodingOptions(best_of=2, chooser="deaf"))
    assert isinstance(open_text2speech(spec).scorer.recognizer, NoRecognizer)
