import shutil
import threading
import time

import numpy as np
import pytest
import yaml
from codec_samples import OPTIONS, RATE, voices, vowel

from espnet2_valle.bin import codec_fit, codec_resynthesize, codec_tokenize, speaker_embed
from espnet2_valle.codec.build import load_codec
from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.data import code_files
from espnet2_valle.data.codes import read_codes


def write_scp(folder, wavs, rate=RATE):
    lines = []
    for number, wav in enumerate(wavs):
        path = folder / f"utt{number}.wav"
        write_audio(path, wav, rate)
        lines.append(f"utt{number} {path}\n")
    (folder / "wav.scp").write_text("".join(lines))
    return str(folder / "wav.scp")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder with wav.scp, world.yaml and a codec fitted by the command."""
    folder = tmp_path_factory.mktemp("fitted")
    (folder / "world.yaml").write_text(yaml.safe_dump(OPTIONS))
    fit(folder, write_scp(folder, voices()), folder / "codec")
    return folder


def fit(folder, scp, output, nj=1):
    codec_fit.main(
        ["--codec", "world", "--config", str(folder / "world.yaml"), "--wav_scp", scp]
        + ["--output_dir", str(output), "--nj", str(nj)]
    )


@pytest.fixture
def short(tmp_path):
    """Six short utterances."""
    return write_scp(tmp_path, [vowel(0.2 + 0.05 * i, 100 + 20 * i, seed=i) for i in range(6)])


def tokenise(fitted, scp, output, *more):
    codec_tokenize.main(
        ["--codec_config", str(fitted / "codec" / "codec.yaml"), "--wav_scp", str(scp)]
        + ["--output_dir", str(output), "--shard_size", "2", *more]
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_number_of_processes_changes_no_bit(fitted, short, tmp_path):
    fit(fitted, str(fitted / "wav.scp"), tmp_path / "codec", nj=2)
    assert contents(tmp_path / "codec") == contents(fitted / "codec")
    tokenise(fitted, short, tmp_path / "codes")
    one = contents(tmp_path / "codes")
    shutil.rmtree(tmp_path / "codes")
    tokenise(fitted, short, tmp_path / "codes", "--nj", "2")
    assert contents(tmp_path / "codes") == one


def test_a_config_may_be_laid_over_another(fitted, tmp_path):
    (tmp_path / "small.yaml").write_text(f"base: {fitted}/world.yaml\ncodebook_size: 16\n")
    words = ["--codec", "world", "--config", str(tmp_path / "small.yaml"), "--output_dir", str(tmp_path)]
    codec_fit.main([*words, "--wav_scp", str(fitted / "wav.scp")])
    assert load_codec(tmp_path / "codec.yaml").spec.codebook_size == 16


def test_codes_are_those_of_the_codec_in_the_order_of_the_scp(fitted, short, tmp_path):
    tokenise(fitted, short, tmp_path / "codes")
    found = read_codes(tmp_path / "codes" / "codes.scp")
    assert list(found) == [f"utt{i}" for i in range(6)]
    codec = load_codec(fitted / "codec" / "codec.yaml")
    wav, _ = read_audio(tmp_path / "utt3.wav")
    np.testing.assert_array_equal(found["utt3"], codec.encode(wav))
    shapes = dict(line.split() for line in (tmp_path / "codes" / "codes_shape").read_text().splitlines())
    assert shapes["utt3"] == f"{codec.num_frames(len(wav))},3"


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(fitted, short, tmp_path, monkeypatch):
    tokenise(fitted, short, tmp_path / "codes")
    whole = contents(tmp_path / "codes")
    shutil.rmtree(tmp_path / "codes")
    encoded = []
    encode_batch = code_files.encode_batch

    def encode_until_killed(config, device, batch):
        encoded.append(batch[0][0])
        if len(encoded) == 4:
            raise KeyboardInterrupt
        return encode_batch(config, device, batch)

    monkeypatch.setattr(code_files, "encode_batch", encode_until_killed)
    with pytest.raises(KeyboardInterrupt):
        tokenise(fitted, short, tmp_path / "codes")
    assert not (tmp_path / "codes" / "codes.scp").exists()
    tokenise(fitted, short, tmp_path / "codes")
    assert encoded[4:] == ["utt2", "utt3", "utt4", "utt5"]  # the first shard was done
    assert contents(tmp_path / "codes") == whole


def test_a_second_run_does_nothing_but_what_changed_and_a_new_codec_does_all(
    fitted, short, tmp_path, monkeypatch
):
    tokenise(fitted, short, tmp_path / "codes")
    encoded = []
    encode_batch = code_files.encode_batch
    monkeypatch.setattr(
        code_files, "encode_batch", lambda c, d, batch: encoded.append(batch) or encode_batch(c, d, batch)
    )
    tokenise(fitted, short, tmp_path / "codes")
    assert encoded == []
    write_audio(tmp_path / "utt5.wav", vowel(0.3, 180), RATE)
    tokenise(fitted, short, tmp_path / "codes")
    assert [batch[0][0] for batch in encoded] == ["utt4", "utt5"]  # the shard of the changed file
    encoded.clear()
    other = tmp_path / "other"
    shutil.copytree(fitted, other)
    (other / "world.yaml").write_text(yaml.safe_dump({**OPTIONS, "fit": {"iterations": 1}}))
    fit(other, str(fitted / "wav.scp"), other / "codec")
    tokenise(other, short, tmp_path / "codes")
    assert len(encoded) == 6


def test_utterances_at_which_workers_died_are_tried_again_by_the_next_run(
    fitted, short, tmp_path, monkeypatch
):
    tokenise(fitted, short, tmp_path / "whole")
    encode_batch = code_files.encode_batch

    def encode_until_death(config, device, batch):
        if batch[0][0] == "utt3":
            raise WorkError("tokenise", "3 workers died while working on utt3", "Run again")
        return encode_batch(config, device, batch)

    for max_bad in ("0", "0.2"):
        with monkeypatch.context() as dying:
            dying.setattr(code_files, "encode_batch", encode_until_death)
            if max_bad == "0":
                with pytest.raises(InputError, match="3 workers died while working on utt3"):
                    tokenise(fitted, short, tmp_path / "codes")
            else:
                tokenise(fitted, short, tmp_path / "codes", "--max_bad", max_bad)
                assert "utt3" not in read_codes(tmp_path / "codes" / "codes.scp")
        tokenise(fitted, short, tmp_path / "codes")
        assert list(read_codes(tmp_path / "codes" / "codes.scp")) == [f"utt{i}" for i in range(6)]
        shutil.rmtree(tmp_path / "codes")


def test_a_worker_that_cannot_open_the_codec_says_nothing_of_the_sound(fitted, short, tmp_path):
    with pytest.raises(WorkError, match="no such codec configuration"):
        code_files.encode_batch(str(tmp_path / "gone.yaml"), "cpu", [("utt0", str(tmp_path / "utt0.wav"))])


def test_a_bad_sound_file_is_named_and_nothing_half_written_stays(fitted, short, tmp_path):
    (tmp_path / "utt5.wav").write_bytes(b"not sound")
    with pytest.raises(InputError, match=r"utt5\.wav"):
        tokenise(fitted, short, tmp_path / "codes")
    assert not (tmp_path / "codes" / "codes.scp").exists()
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_a_bad_sound_file_among_many_is_set_aside(fitted, short, tmp_path, caplog):
    tokenise(fitted, short, tmp_path / "whole")
    path = tmp_path / "utt3.wav"
    sound = path.read_bytes()
    path.write_bytes(b"not sound")
    for _ in range(2):  # a rerun says it again
        caplog.clear()
        tokenise(fitted, short, tmp_path / "codes", "--max_bad", "0.2", "--batch_size", "2")
        assert "1 of 6 utterances are bad and LEFT OUT" in caplog.text
    assert list(read_codes(tmp_path / "codes" / "codes.scp")) == ["utt0", "utt1", "utt2", "utt4", "utt5"]
    reason = (tmp_path / "codes" / "set_aside").read_text()
    assert reason.startswith(f"utt3 {path}: not a readable sound file")
    path.write_bytes(sound)
    tokenise(fitted, short, tmp_path / "codes")
    assert (tmp_path / "codes" / "set_aside").read_text() == ""
    assert (tmp_path / "codes" / "codes_shape").read_bytes() == (
        tmp_path / "whole" / "codes_shape"
    ).read_bytes()


def test_batches_change_no_code(fitted, short, tmp_path):
    tokenise(fitted, short, tmp_path / "codes")
    one = contents(tmp_path / "codes")
    shutil.rmtree(tmp_path / "codes")
    tokenise(fitted, short, tmp_path / "codes", "--batch_size", "3", "--shard_size", "2")
    assert contents(tmp_path / "codes") == one


def test_only_some_utterances(fitted, short, tmp_path):
    (tmp_path / "token_int").write_text("utt1 5 6\nutt4 7\n")
    tokenise(fitted, short, tmp_path / "codes", "--only", str(tmp_path / "token_int"))
    assert list(read_codes(tmp_path / "codes" / "codes.scp")) == ["utt1", "utt4"]
    (tmp_path / "token_int").write_text("utt9 5\n")
    with pytest.raises(InputError, match="has no utterance that is in .*token_int"):
        tokenise(fitted, short, tmp_path / "codes", "--only", str(tmp_path / "token_int"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch_size", "0"], "--batch_size: 0 is out of range"),
        (["--device", "cuda"], "--device: (codec world computes on the CPU only|there is no cuda here)"),
    ],
)
def test_options_that_cannot_be(fitted, short, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        tokenise(fitted, short, tmp_path / "codes", *options)


def test_a_batch_of_a_gpu_is_read_by_several_threads(fitted, short, tmp_path, monkeypatch):
    config = str(fitted / "codec" / "codec.yaml")
    (tmp_path / "utt2.wav").write_bytes(b"not sound")
    batch = [(f"utt{i}", str(tmp_path / f"utt{i}.wav")) for i in range(6)]
    alone = code_files.encode_batch(config, "cpu", batch)
    threads, read = set(), code_files.read_audio

    def read_slowly(*given):
        threads.add(threading.get_ident())
        time.sleep(0.05)
        return read(*given)

    monkeypatch.setattr(code_files, "read_audio", read_slowly)
    monkeypatch.setattr(code_files, "open_codec", lambda path, device: load_codec(path))
    together = code_files.encode_batch(config, "cuda", batch)
    assert len(threads) > 1
    assert together.keys() == alone.keys()
    assert isinstance(together.pop("utt2"), InputError)
    for key, codes in together.items():
        np.testing.assert_array_equal(codes, alone[key])


def test_a_codec_that_knows_the_cpu_only_stays_there(fitted, short, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    tokenise(fitted, short, tmp_path / "cpu")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    tokenise(fitted, short, tmp_path / "cuda", "--device", "cuda")
    assert contents(tmp_path / "cuda").keys() == contents(tmp_path / "cpu").keys()
    assert "codec world computes on the CPU" in caplog.text
    config = str(fitted / "codec" / "codec.yaml")
    codec_resynthesize.main(
        ["--codec_config", config, "--wav_scp", short, "--output_dir", str(tmp_path / "out")]
        + ["--device", "cuda"]
    )


def test_other_rates_are_resampled(fitted, tmp_path):
    scp = write_scp(tmp_path, [vowel(0.5, 120, rate=8000)], rate=8000)
    tokenise(fitted, scp, tmp_path / "codes")
    assert read_codes(tmp_path / "codes" / "codes.scp")["utt0"].shape == (25, 3)


def test_resynthesis_of_each_utterance(fitted, short, tmp_path):
    config = str(fitted / "codec" / "codec.yaml")
    codec_resynthesize.main(
        ["--codec_config", config, "--wav_scp", short, "--output_dir", str(tmp_path / "out")]
    )
    lines = (tmp_path / "out" / "wav.scp").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [f"utt{i}" for i in range(6)]
    wav, rate = read_audio(lines[2].split()[1])
    codec = load_codec(config)
    expected = codec.decode(codec.encode(read_audio(tmp_path / "utt2.wav")[0]))
    assert rate == RATE
    np.testing.assert_allclose(wav, expected, atol=1e-4)


def test_resynthesis_in_batches_is_that_of_each(fitted, short, tmp_path, monkeypatch):
    asked = []
    decode_batch = WorldCodec.decode_batch
    monkeypatch.setattr(
        WorldCodec, "decode_batch", lambda self, codes: asked.append(len(codes)) or decode_batch(self, codes)
    )
    command = ["--codec_config", str(fitted / "codec" / "codec.yaml"), "--wav_scp", short, "--output_dir"]
    for name, more in (("alone", []), ("together", ["--batch_size", "4"])):
        codec_resynthesize.main([*command, str(tmp_path / name), *more])
    assert asked == [1] * 6 + [4, 2]
    for utt in range(6):
        files = [tmp_path / name / "wav" / f"utt{utt}.wav" for name in ("alone", "together")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_resynthesis_of_the_targets_of_pairs(fitted, short, tmp_path):
    (tmp_path / "pairs").write_text("p1 utt0 utt2 utt5\np2 utt1 utt3 utt5\n")
    arguments = ["--codec_config", str(fitted / "codec" / "codec.yaml"), "--wav_scp", short]
    arguments += ["--pairs", str(tmp_path / "pairs"), "--output_dir", str(tmp_path / "out")]
    codec_resynthesize.main([*arguments, "--codebooks", "1"])
    scp = dict(line.split() for line in (tmp_path / "out" / "wav.scp").read_text().splitlines())
    assert list(scp) == ["p1", "p2"]
    codec = load_codec(fitted / "codec" / "codec.yaml")
    codes = codec.encode(read_audio(tmp_path / "utt2.wav")[0])
    np.testing.assert_allclose(read_audio(scp["p1"])[0], codec.decode(codes[:, :1]), atol=1e-4)
    (tmp_path / "pairs").write_text("p1 utt0 utt9 utt5\n")
    with pytest.raises(InputError, match="target utt9 of p1"):
        codec_resynthesize.main(arguments)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--codec", "world"], "Give --config and --wav_scp"),
        (["--codec", "world", "--codec_model", "a.pth"], "--codec_model: 'a.pth' is for a trained codec"),
        (["--codec", "espnet"], "espnet needs its model file"),
        (["--codec", "world", "--config", "nowhere.yaml", "--wav_scp", "x"], "nowhere.yaml"),
    ],
)
def test_what_fit_needs(tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        codec_fit.main([*more, "--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def resynthesise(fitted, scp, output):
    config = str(fitted / "codec" / "codec.yaml")
    codec_resynthesize.main(["--codec_config", config, "--wav_scp", scp, "--output_dir", str(output)])


def embed(fitted, scp, output):
    speaker_embed.main(["--wav_scp", scp, "--output_dir", str(output)])


@pytest.mark.parametrize("formatted", [True, False])
@pytest.mark.parametrize("command", [fit, resynthesise, embed])
def test_a_damaged_file_of_stage_2_is_named_with_the_way_to_a_new_one(fitted, tmp_path, command, formatted):
    (tmp_path / "wav").mkdir()
    scp = write_scp(tmp_path / "wav", [vowel(0.5, 120, seed=0), vowel(0.5, 140, seed=1)])
    damaged = tmp_path / "wav" / "utt1.wav"
    damaged.write_bytes(b"RIFF" + bytes(8))
    if formatted:
        (tmp_path / "made_from").touch()
    with pytest.raises(InputError) as caught:
        command(fitted, scp, tmp_path / "out")
    assert f"{damaged}: " in str(caught.value)
    assert (f"Remove it and {tmp_path}/.done, and run stage 2 again" in str(caught.value)) == formatted


def test_a_codebook_count_that_is_not_there(fitted, short, tmp_path):
    with pytest.raises(InputError, match=r"4 is not in 1\.\.3"):
        codec_resynthesize.main(
            ["--codec_config", str(fitted / "codec" / "codec.yaml"), "--wav_scp", short]
            + ["--output_dir", str(tmp_path), "--codebooks", "4"]
        )
