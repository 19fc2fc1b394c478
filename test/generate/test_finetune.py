"""From one packed model to another one with adapters, by the commands that `run.sh --init_model` calls."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from espnet2_valle.bin import build_index, codec_tokenize, finetune_base, pack, tokenize_text, valle_train
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.text.bpe import train_bpe

from .conftest import write_model

CONF = find("finetune_lora.yaml")
NEEDS_LORALIB = pytest.mark.skipif(
    importlib.util.find_spec("loralib") is None, reason="loralib is not installed"
)


@pytest.fixture
def packed(files, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # models are unpacked below it
    pack.main([*[f"--{name}={path}" for name, path in files.items()], f"--output={tmp_path}/base.zip"])
    return tmp_path / "base.zip"


def lay_out(packed, **settings):
    config = packed.parent / "finetune.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(CONF.read_text()), **settings}))
    output = packed.parent / "base"
    finetune_base.main([f"--model_tag={packed}", f"--config={config}", f"--output_dir={output}"])
    return output


def test_a_base_is_laid_out_for_the_recipe(packed, files):
    base = lay_out(packed, valle_conf={"dropout": 0.3})
    assert torch.load(base / "ar.pth").keys() == torch.load(files["ar_model_file"]).keys()
    assert (base / "tokens.txt").read_text().split("\n")[2] == "<space>"
    options = dict(line.split(maxsplit=1) for line in (base / "options").read_text().splitlines())
    assert options == {
        "token_type": "char",
        "g2p": "none",
        "cleaner": "none",
        "fs": "24000",
        "ar_config": str(base / "train_ar.yaml"),
        "nar_config": str(base / "train_nar.yaml"),
    }
    config = yaml.safe_load((base / "train_nar.yaml").read_text())
    assert (config["valle"], config["adapter"]) == ("nar", "lora")
    assert (config["valle_conf"]["width"], config["valle_conf"]["dropout"]) == (16, 0.3)


def finetuned(packed, system, data=None, tokenizing=(), training=()):
    """Fine-tune with adapters for a moment; the packed models before and after."""
    base = lay_out(packed, num_iters_per_epoch=5, max_epoch=1, num_workers=0)
    folder, codec = packed.parent, base / "codec" / "codec.yaml"
    data = data or system / "data"
    codec_tokenize.main(
        [f"--codec_config={codec}", f"--wav_scp={data}/wav.scp", f"--output_dir={folder}/codes"]
    )
    tokens = [f"--token_list={folder}/tokens.txt", "--token_type=char", "--g2p=none"]
    shutil.copy(base / "tokens.txt", folder)
    tokenize_text.main([f"--data_dir={data}", f"--output_dir={folder}/token", *tokens, *tokenizing])
    build_index.main(
        [
            *(f"--codes_dir={folder}/codes", f"--token_int={folder}/token/token_int"),
            *(f"--utt2spk={data}/utt2spk", f"--output_dir={folder}/index"),
        ]
    )
    tuned = {}
    for kind in ("ar", "nar"):
        valle_train.main(
            [
                *(f"--config={base}/train_{kind}.yaml", f"--init_param={base}/{kind}.pth", "--peak_tflops=1"),
                *(f"--codec_config={codec}", *tokens, f"--output_dir={folder}/{kind}", *training),
                *(
                    f"--{split}_data_path_and_name_and_type={folder}/index,index,valle_index"
                    for split in ("train", "valid")
                ),
            ]
        )
        tuned[f"{kind}_train_config"] = folder / kind / "config.yaml"
        tuned[f"{kind}_model_file"] = folder / kind / "valid.loss.ave.pth"
    pack.main(
        [*[f"--{k}={v}" for k, v in tuned.items()], f"--codec_config={codec}", f"--output={folder}/tuned.zip"]
    )
    return folder / "base.zip", folder / "tuned.zip"


def moved_weights(before, after):
    """Names of the AR model's weights that are others now."""
    return {
        name
        for name, value in before.ar.state_dict().items()
        if not torch.equal(value, after.ar.state_dict()[name])
    }


@NEEDS_LORALIB
def test_a_finetuned_model_is_packed_and_speaks(packed, system):
    before, after = (Text2Speech.from_pretrained(str(path)) for path in finetuned(packed, system))
    said = after("c a b", str(system / "data" / "wav" / "low_0.wav"), "a b")
    assert len(said["wav"]) > 0
    assert before.ar.state_dict().keys() == after.ar.state_dict().keys()
    moved = moved_weights(before, after)
    assert moved
    assert all(
        name.endswith(("qkv.weight", "out.weight", "expand.weight", "contract.weight")) for name in moved
    )


@NEEDS_LORALIB
def test_tokens_are_added_and_their_embeddings_alone_are_trained(packed, system, tmp_path):
    data = tmp_path / "new"
    shutil.copytree(system / "data", data)
    texts = (data / "text").read_text()
    (data / "text").write_text(texts.replace("a", "x").replace("c", "ß"))
    base = tmp_path / "base" / "tokens.txt"
    with pytest.raises(InputError, match=r"of its tokens are not in .*'x' \(x\).*--add_tokens true"):
        finetuned(packed, system, data)
    tokenizing = ["--add_tokens=true", f"--base_token_list={base}"]
    paths = finetuned(packed, system, data, tokenizing, [f"--base_token_list={base}"])
    before, after = (Text2Speech.from_pretrained(str(path)) for path in paths)
    assert after.tokenizer.ids.tokens == ["<blank>", "<unk>", "<space>", "a", "b", "c", "x", "ß", "<sos/eos>"]
    old, new = (model.ar.text.table.weight for model in (before, after))
    assert torch.equal(new[:6], old[:6])
    assert torch.equal(new[-1], old[-1])
    said = after("x ß", str(data / "wav" / "low_0.wav"), "x b")
    assert said.outcome is not Outcome.UNKNOWN_TOKENS
    config = yaml.safe_load((tmp_path / "ar" / "config.yaml").read_text())
    assert config["base_token_list"] == str(base)
    state = torch.load(tmp_path / "ar" / "valid.loss.ave.pth")
    rows = next(value for name, value in state.items() if name.endswith("text.lora_rows"))
    assert rows.shape == (2, 16)
    assert rows.abs().sum(1).min() > 0
    table = next(value for name, value in state.items() if name.endswith("text.table.weight"))
    assert torch.allclose(new[6:8], table[6:8] + rows)


@NEEDS_LORALIB
def test_a_list_that_is_not_the_models_with_more_is_refused(packed, system, tmp_path):
    base = tmp_path / "other.txt"
    base.write_text("<blank>\n<unk>\nz\n<sos/eos>\n")
    with pytest.raises(InputError, match=r"is not .*other\.txt with tokens added"):
        finetuned(packed, system, training=[f"--base_token_list={base}"])


def test_a_bpe_model_goes_along_from_pack_to_pack(system, tmp_path, monkeypatch):
    """Trained with a path relative to the recipe's folder, opened from elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "recipe" / "dump").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "recipe")
    train_bpe(["a b", "b c a", "c a b"] * 5, "dump/bpe.model", 8)
    options, codec = ["--token_type=bpe", "--bpemodel=dump/bpe.model"], system / "codec" / "codec.yaml"
    files = {"codec_config": codec}
    for kind in ("ar", "nar"):
        write_model(tmp_path / kind, kind, codec, text=options)
        files |= {f"{kind}_train_config": tmp_path / kind / "config.yaml"}
        files |= {f"{kind}_model_file": tmp_path / kind / "model.pth"}
    pack.main([*[f"--{name}={path}" for name, path in files.items()], f"--output={tmp_path}/base.zip"])
    pieces = Path("dump/bpe.model").read_bytes()
    shutil.rmtree(tmp_path / "recipe" / "dump")
    monkeypatch.chdir(system)
    tokens = Text2Speech.from_pretrained(str(tmp_path / "base.zip")).tokenizer.text2tokens("b c a")
    assert "".join(tokens).replace("\u2581", " ") == " b c a"
    base = lay_out(tmp_path / "base.zip")
    assert (base / "bpe.model").read_bytes() == pieces


def test_what_is_no_training_config_is_named(packed, tmp_path):
    config = tmp_path / "empty.yaml"
    config.touch()
    with pytest.raises(InputError, match="is not a training config"):
        finetune_base.main([f"--model_tag={packed}", f"--config={config}", "--output_dir=x"])
