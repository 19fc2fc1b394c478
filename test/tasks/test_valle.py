"""VALLETask through ESPnet's own trainer, on archives small enough for a test."""

import numpy as np
import pytest
import torch
import yaml
from training_samples import CONF, SPEC, options

from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.zoo.checkpoint import codec_spec


@pytest.mark.parametrize("valle", ["ar", "nar"])
def test_training_writes_a_model_that_stands_alone(archive, valle):
    VALLETask.main(cmd=options(archive, valle))
    for name in ("tokens.txt", "codec.yaml"):
        (archive / name).unlink()
    model, args = VALLETask.build_model_from_file(model_file=archive / "exp" / "valid.loss.ave.pth")
    assert args.token_list == ["<blank>", "<unk>", "a", "b", "<sos/eos>"]
    assert codec_spec(args) == CodecSpec("world", 24000, 50.0, 4, 16)
    assert not model.training
    saved = torch.load(archive / "exp" / "valid.loss.ave.pth", weights_only=True)
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())


def test_espnets_own_iterator_can_be_chosen(archive):
    command = [item for item in options(archive, "ar") if "valle_index" not in item]
    for split in ("train", "valid"):
        command += [
            f"--{split}_data_path_and_name_and_type={archive}/token_int,text,text_int",
            f"--{split}_data_path_and_name_and_type={archive}/codes.scp,codes,kaldi_ark",
            f"--{split}_shape_file={archive}/codes_shape",
        ]
    VALLETask.main(cmd=[*command, "--iterator_type=sequence", "--batch_type=length"])
    assert (archive / "exp" / "valid.loss.ave.pth").exists()
    with pytest.raises(InputError, match="is not a training index"):
        VALLETask.main(cmd=command)


def test_corpora_are_drawn_by_their_weights(archive):
    VALLETask.main(cmd=options(archive, "ar", '--corpus_weights={"s0": 2.0, "s1": 0.5}'))
    config = yaml.safe_load((archive / "exp" / "config.yaml").read_text())
    assert config["corpus_weights"] == {"s0": 2.0, "s1": 0.5}
    for words, message in (
        (["--corpus_weights=s2=1"], "no speaker of .* is of a corpus 's2'"),
        (["--corpus_weights=s0=-1"], "s0: -1 is no weight"),
        (["--corpus_weights=s0=1", "--iterator_type=sequence"], "is not for --iterator_type sequence"),
    ):
        with pytest.raises(InputError, match=f"--corpus_weights: {message}"):
            VALLETask.main(cmd=[*options(archive, "ar"), f"--output_dir={archive}/other", *words])


def test_training_resumes_where_it_stopped(archive):
    VALLETask.main(cmd=options(archive, "ar"))
    first = (archive / "exp" / "1epoch.pth").stat().st_mtime_ns
    VALLETask.main(cmd=options(archive, "ar", "--max_epoch=2", "--resume=true"))
    reporter = torch.load(archive / "exp" / "checkpoint.pth", weights_only=False)["reporter"]
    assert sorted(reporter["stats"]) == [1, 2]
    assert (archive / "exp" / "1epoch.pth").stat().st_mtime_ns == first


class Codewords:
    def __init__(self, points):
        self.points = points

    def codewords(self):
        return self.points


@pytest.mark.parametrize("valle", ["ar", "nar"])
def test_embeddings_may_start_from_the_codecs_codewords(archive, monkeypatch, valle):
    points = [np.random.default_rng(level).standard_normal((16, 3)).astype(np.float32) for level in range(4)]
    points[0][1] = points[0][0]  # two codes of one sound
    monkeypatch.setattr("espnet2_valle.tasks.codewords.load_codec", lambda config: Codewords(points))
    command = options(archive, valle)
    tables = {}
    for wanted in ("true", "false"):
        args = VALLETask.get_parser().parse_args([*command, f"--codeword_init={wanted}"])
        tables[wanted] = VALLETask.build_model(args).valle.codes.weight
    torch.testing.assert_close(tables["true"][0, 0], tables["true"][0, 1])
    assert not torch.allclose(tables["false"][0, 0], tables["false"][0, 1])


def test_a_codec_without_codewords_cannot_give_embeddings(archive, monkeypatch):
    monkeypatch.setattr("espnet2_valle.tasks.codewords.load_codec", lambda config: Codewords(None))
    with pytest.raises(InputError, match="does not tell its codewords"):
        VALLETask.main(cmd=options(archive, "ar", "--codeword_init=true"))


# See test_plan.py and test_ns2.py for the others.
TRAINED = sorted(path for path in CONF.glob("train_*ar_*.yaml") if "12b" not in path.name)


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_every_config_builds_its_model(archive, path):
    """A dry run of each config, as a lab would do it, and the sizes that the configs claim."""
    valle = "nar" if "_nar_" in path.name else "ar"
    command = [item for item in options(archive, valle) if not item.startswith(("--valle_conf", "--config"))]
    VALLETask.main(cmd=[*command, f"--config={path}", "--dry_run=true"])
    args = VALLETask.get_parser().parse_args([*command, f"--config={path}"])
    model = VALLETask.build_model(args)
    total = sum(p.numel() for p in model.parameters())
    matrices = sum(p.numel() for p in model.valle.transformer.parameters() if p.dim() == 2)
    claimed = {"paper": 151e6, "base": 38e6, "mini": 3.2e6}[path.stem.split("_")[2]]
    assert matrices == pytest.approx(claimed, rel=0.02)
    assert total < claimed * 1.25


def test_paper_size_with_the_papers_codec(archive):
    """EnCodec's eight codebooks of 1 024: 151 M weights of linear layers each, and what is beside them."""
    (archive / "codec.yaml").write_text(
        yaml.safe_dump({**SPEC, "num_codebooks": 8, "codebook_size": 1024, "frame_rate": 75.0})
    )
    for valle in ("ar", "nar"):
        command = [item for item in options(archive, valle) if not item.startswith(("--valle_", "--config"))]
        args = VALLETask.get_parser().parse_args([*command, f"--config={CONF}/train_{valle}_paper.yaml"])
        with torch.device("meta"):
            model = VALLETask.build_model(args)
        total = sum(p.numel() for p in model.parameters())
        assert total == pytest.approx({"ar": 152.3e6, "nar": 160.0e6}[valle], rel=0.001)
        linear = [
            m.weight.numel() for m in model.valle.transformer.modules() if isinstance(m, torch.nn.Linear)
        ]
        assert sum(linear) == pytest.approx(151e6, rel=0.001)


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--valle_conf=widht=3", "widht"),
        ("--valle_conf=num_codebooks=3", "num_codebooks"),
        ("--model_conf=bf61=true", "bf61"),
        ("--valle_conf=heads=3", "multiple of heads"),
    ],
)
def test_a_misspelt_key_is_named(archive, option, named):
    with pytest.raises(InputError, match=named):
        VALLETask.main(cmd=options(archive, "ar", option))
    assert not (archive / "exp" / "checkpoint.pth").exists()


def test_a_misspelt_key_in_a_config_file_is_named(archive, capsys):
    config = archive / "train.yaml"
    config.write_text("valle: ar\nbatch_bin: 3\n")
    with pytest.raises(SystemExit):
        VALLETask.main(cmd=options(archive, "ar", f"--config={config}"))
    assert "batch_bin" in capsys.readouterr().err


def test_codes_of_another_codec_are_named(archive):
    (archive / "codec.yaml").write_text(yaml.safe_dump({**SPEC, "num_codebooks": 8}))
    with pytest.raises(InputError, match=r"utterance utt\d: codes of shape .* 8 codebooks"):
        VALLETask.main(cmd=options(archive, "ar"))
    (archive / "codec.yaml").write_text(yaml.safe_dump({**SPEC, "codebook_size": 8}))
    with pytest.raises(InputError, match=r"utterance utt\d: code \d+ is outside the codebook of 8"):
        VALLETask.main(cmd=options(archive, "ar"))


def test_token_ids_of_another_list_are_named(archive):
    (archive / "tokens.txt").write_text("<unk>\na\n<sos/eos>\n")
    with pytest.raises(InputError, match="outside the token list of 3"):
        VALLETask.main(cmd=options(archive, "ar"))


def test_weights_must_fit_to_the_last_key(archive):
    VALLETask.main(cmd=options(archive, "ar"))
    path = archive / "exp" / "1epoch.pth"
    weights = torch.load(path, weights_only=True)
    weights.pop("valle.text.table.weight")
    torch.save(weights, path)
    with pytest.raises(InputError, match=r"valle\.text\.table\.weight"):
        VALLETask.build_model_from_file(model_file=path)


def test_missing_files_say_what_to_run(archive):
    with pytest.raises(InputError, match="stages 5 and 6"):
        VALLETask.build_model_from_file(model_file=archive / "exp" / "none.pth")
    with pytest.raises(InputError, match="token list"):
        VALLETask.main(cmd=options(archive, "ar", f"--token_list={archive}/none.txt"))
    (archive / "asr.yaml").write_text("encoder: conformer\n")
    with pytest.raises(InputError, match="not the config of a VALL-E training"):
        VALLETask.build_model_from_file(config_file=archive / "asr.yaml")


def test_ar_is_the_default_model():
    assert VALLETask.get_parser().parse_args(["--output_dir", "x"]).valle == "ar"


@pytest.mark.parametrize(
    ("words", "fused"), [(["adamw"], True), (["adamw", "--optim_conf=foreach=true"], None), (["sgd"], None)]
)
def test_adam_goes_over_the_weights_once(words, fused):
    args = VALLETask.get_parser().parse_args(["--output_dir=unused", "--optim", *words])
    (optimizer,) = VALLETask.build_optimizers(args, torch.nn.Linear(2, 2))
    assert optimizer.defaults["fused"] is fused
    assert "fused" not in args.optim_conf


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_utterances_are_joined_for_mini_alone(archive, path):
    """As the configs say, with the papers' sizes as in the papers."""
    args = VALLETask.get_parser().parse_args([f"--config={path}", "--output_dir=unused"])
    assert args.join_seconds == (8 if "mini" in path.name else 0)
    fine = VALLETask.get_parser().parse_args([f"--config={CONF}/finetune_lora.yaml", "--output_dir=unused"])
    assert fine.join_seconds == 8
