"""Scorers whose models are not here, by fakes of their libraries; and choosing scorers by name."""

import inspect
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from espnet2_valle.asr.normalise import NORMALISERS, characters
from espnet2_valle.asr.pretrained import ESPnetRecognizer, HuggingFaceRecognizer, WhisperRecognizer
from espnet2_valle.asr.registry import CHOOSERS, RECOGNIZERS
from espnet2_valle.asr.wer import count_words
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.evaluation.mos import DistillMOSScorer, TorchHubScorer
from espnet2_valle.evaluation.registry import QUALITY_SCORERS, SPEAKER_ENCODERS
from espnet2_valle.evaluation.scorers import DefaultPlan
from espnet2_valle.evaluation.settings import LanguageSettings, Settings, read_settings
from espnet2_valle.evaluation.speaker import ESPnetEncoder, WavLMEncoder

RATE = 8000
SHARED = Path(os.environ.get("ESPNET2_VALLE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
WHISPER = os.environ.get("ESPNET2_VALLE_WHISPER", "")
SECOND = np.sin(np.arange(RATE) / 5).astype(np.float32)
FOLDER = CONF / "score"


def install(monkeypatch, name, **members):
    """Put a fake module in place of a library."""
    module = ModuleType(name)
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_faster_whisper(monkeypatch):
    seen = {}

    class WhisperModel:
        supported_languages = ("en", "zh")

        def __init__(self, model, **options):
            seen["model"] = (model, options)

        def transcribe(
            self, wav, condition_on_previous_text, without_timestamps, language, beam_size, temperature
        ):
            assert temperature == 0  # nothing is drawn at random
            seen["call"] = (len(wav), wav.dtype, condition_on_previous_text, language, beam_size)
            seen["without_timestamps"] = without_timestamps
            return (SimpleNamespace(text=text) for text in (" Hello,", " world.")), None

    install(monkeypatch, "faster_whisper", WhisperModel=WhisperModel)
    judge = WhisperRecognizer("tiny", language="", beam_size=2)
    assert judge.transcribe(SECOND, RATE) == "Hello, world."
    assert seen["model"] == ("tiny", {"device": "cpu", "compute_type": "int8"})
    assert seen["without_timestamps"]
    assert seen["call"] == (16000, np.float32, False, None, 2)  # resampled to what Whisper hears
    assert judge.transcribe(SECOND[:10], RATE) == ""
    judge.transcribe(np.tile(SECOND, 31), RATE)
    assert not seen["without_timestamps"]
    WhisperRecognizer("tiny", device="cuda:1")
    assert seen["model"] == ("tiny", {"device": "cuda", "device_index": 1, "compute_type": "float16"})
    WhisperRecognizer("tiny", device="cuda", compute_type="int8_float16")
    assert seen["model"] == ("tiny", {"device": "cuda", "device_index": 0, "compute_type": "int8_float16"})


def test_a_folder_without_a_model_of_ctranslate2_is_refused(monkeypatch, tmp_path):
    hears = SimpleNamespace(supported_languages=["en"])
    install(monkeypatch, "faster_whisper", WhisperModel=lambda model, **options: hears)
    with pytest.raises(InputError, match="has no model.bin.*ct2-transformers-converter"):
        WhisperRecognizer(str(tmp_path))
    (tmp_path / "model.bin").touch()
    WhisperRecognizer(str(tmp_path))
    with pytest.raises(InputError, match="does not hear the language 'zh'. Give its code .* ends in .en"):
        WhisperRecognizer(str(tmp_path), language="zh")


def test_recognisers_of_several_languages_share_a_whisper_in_memory(monkeypatch, tmp_path):
    loaded, seen = [], []

    class WhisperModel:
        supported_languages = ("en", "zh")

        def __init__(self, model, **options):
            loaded.append(model)

        def transcribe(self, wav, language, **options):
            seen.append(language)
            return [SimpleNamespace(text=language)], None

    install(monkeypatch, "faster_whisper", WhisperModel=WhisperModel)
    (tmp_path / "model.bin").touch()
    folder = str(tmp_path)
    both = [WhisperRecognizer(folder), WhisperRecognizer(f"{folder}/", language="zh")]
    assert loaded == [folder]
    assert [judge.transcribe(SECOND, RATE) for judge in both] == ["en", "zh"]
    WhisperRecognizer(folder, device="cuda")
    assert loaded == [folder, folder], "of another device"
    both.clear()
    WhisperRecognizer(folder)
    assert len(loaded) == 3, "what no recogniser has any more is not kept"


@pytest.mark.skipif(not WHISPER, reason="ESPNET2_VALLE_WHISPER names no folder of a model of CTranslate2")
def test_a_real_whisper_in_a_folder():
    pytest.importorskip("faster_whisper")
    folder = SHARED / "corpora" / "ljspeech_en"
    if not folder.is_dir():
        pytest.skip("no real speech here: set ESPNET2_VALLE_SHARED")
    judge, errors, words = WhisperRecognizer(WHISPER), 0, 0
    for recording in read_folder(folder)[:5]:
        heard = judge.transcribe(*read_audio(recording.wav))
        assert heard == judge.transcribe(*read_audio(recording.wav))
        count = count_words(recording.text, heard)
        errors, words = errors + count.errors, words + count.length
    assert errors < 0.25 * words


def test_openai_whisper_serves_where_only_that_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    heard = {"transcribe": lambda wav, **options: {"text": " seven two "}}
    install(
        monkeypatch, "whisper",
        load_model=lambda name, device: SimpleNamespace(is_multilingual=not name.endswith(".en"), **heard),
    )  # fmt: skip
    assert WhisperRecognizer("tiny").transcribe(SECOND, RATE) == "seven two"
    assert WhisperRecognizer("tiny", language="zh").transcribe(SECOND, RATE) == "seven two"
    with pytest.raises(InputError, match="tiny.en: does not hear the language 'zh'"):
        WhisperRecognizer("tiny.en", language="zh")


@pytest.mark.parametrize(
    ("build", "gone", "extra"),
    [
        (WhisperRecognizer, ("faster_whisper", "whisper"), "whisper"),
        (HuggingFaceRecognizer, ("transformers",), "transformers"),
        (WavLMEncoder, ("transformers",), "transformers"),
        (DistillMOSScorer, ("distillmos",), "distillmos"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, build, gone, extra):
    for module in gone:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'espnet2_valle\[{extra}\]'"):
        build()


def fake_transformers(monkeypatch):
    moved = []

    class Processor:
        def __call__(self, wav, sampling_rate, return_tensors):
            assert (sampling_rate, return_tensors, wav.shape) == (16000, "pt", (16000,))
            return SimpleNamespace(input_values=torch.from_numpy(wav)[None])

        def batch_decode(self, best):
            assert best.tolist() == [[1, 0]]
            return ["SEVEN TWO"]

    class Model:
        def to(self, device):
            moved.append(device)
            return self

        def eval(self):
            return self

        def __call__(self, values):
            return SimpleNamespace(
                logits=torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), embeddings=torch.tensor([[3.0, 4.0]])
            )

    def load(name):
        if name == "nowhere":
            raise OSError("no connection\nand a long explanation")
        return Model() if name else Processor()

    processors = SimpleNamespace(from_pretrained=lambda name: load(name) and Processor())
    models = SimpleNamespace(from_pretrained=load)
    install(
        monkeypatch, "transformers", AutoProcessor=processors, AutoFeatureExtractor=processors,
        AutoModelForCTC=models, WavLMForXVector=models,
    )  # fmt: skip
    return moved


def test_huggingface_ctc_and_wavlm(monkeypatch):
    fake_transformers(monkeypatch)
    judge = HuggingFaceRecognizer("m")
    assert judge.transcribe(SECOND, RATE) == "SEVEN TWO"
    assert judge.transcribe(SECOND[:10], RATE) == ""
    assert WavLMEncoder("m").embed(SECOND, RATE) == pytest.approx([0.6, 0.8])


def test_models_go_to_the_device_of_their_plan(monkeypatch):
    moved = fake_transformers(monkeypatch)
    for registry, name in ((RECOGNIZERS, "huggingface"), (SPEAKER_ENCODERS, "wavlm")):
        registry.build(Component(name, (("model", "m"),)), device="cuda:1")
    assert moved == ["cuda:1", "cuda:1"]
    RECOGNIZERS.build(Component("none"), device="cuda:1")  # which computes nothing, and takes none


def test_all_that_compute_with_torch_take_a_device():
    on_the_cpu = {"none", "pocketsphinx", "dnsmos", "dnsmos_p808"}
    for registry in (RECOGNIZERS, CHOOSERS, SPEAKER_ENCODERS, QUALITY_SCORERS):
        for name in set(registry) - on_the_cpu:
            assert "device" in inspect.signature(registry[name]).parameters, name


@pytest.mark.parametrize("build", [HuggingFaceRecognizer, WavLMEncoder])
def test_a_model_that_cannot_be_had_is_named(monkeypatch, build):
    fake_transformers(monkeypatch)
    with pytest.raises(InputError, match=r"nowhere: .* cannot be loaded \(no connection\)"):
        build("nowhere")


def test_espnet_models_by_folder_and_tag(monkeypatch, tmp_path):
    class Speech2Text:
        asr_train_args = SimpleNamespace(frontend_conf={"fs": "8k"})

        def __init__(self, config="", weights="", **options):
            self.given = (config, weights, options)

        @classmethod
        def from_pretrained(cls, tag, **options):
            if tag == "nobody/nothing":
                raise RuntimeError("offline")
            return cls(tag)

        def __call__(self, wav):
            assert len(wav) == RATE  # at the model's own rate
            return [("seven two", [], [], None)]

    class Speech2Embedding:
        def __init__(self, train_config, model_file, device):
            pass

        def __call__(self, wav):
            return torch.tensor([[0.0, 2.0]])

    install(monkeypatch, "espnet2.bin.asr_inference", Speech2Text=Speech2Text)
    install(monkeypatch, "espnet2.bin.spk_inference", Speech2Embedding=Speech2Embedding)
    for build in (ESPnetRecognizer, ESPnetEncoder):
        with pytest.raises(InputError, match="no such file of the"):
            build(str(tmp_path))
    for name in ("config.yaml", "valid.acc.best.pth", "valid.eer.best.pth"):
        (tmp_path / name).touch()
    assert ESPnetRecognizer(str(tmp_path)).transcribe(SECOND, RATE) == "seven two"
    assert ESPnetRecognizer("espnet/some").transcribe(SECOND[:10], RATE) == ""
    assert ESPnetEncoder(str(tmp_path)).embed(SECOND, RATE) == pytest.approx([0.0, 1.0])
    with pytest.raises(InputError, match="cannot be loaded"):
        ESPnetRecognizer("nobody/nothing")


def test_distillmos(monkeypatch):
    class Model:
        def eval(self):
            return self

        def to(self, device):
            assert device == "cpu"
            return self

        def __call__(self, wav):
            assert wav.shape == (1, 16000)
            return torch.tensor([3.5])

    install(monkeypatch, "distillmos", ConvTransformerSQAModel=Model)
    scorer = DistillMOSScorer()
    assert (scorer.key, scorer.score(SECOND, RATE)) == ("distillmos", 3.5)


def test_distillmos_hears_noise():
    pytest.importorskip("distillmos")
    scorer, generator = DistillMOSScorer(), np.random.default_rng(0)
    for samples in (200, 4000, 10 * RATE):
        sound = 0.1 * generator.standard_normal(samples).astype(np.float32)
        assert 1 <= scorer.score(sound, RATE) < 3


def test_a_predictor_of_torch_hub(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\n\nclass Level(torch.nn.Module):\n    def forward(self, wav, rate):\n"
        "        return wav.abs().amax(dim=1) * rate\n\ndef level(**_):\n    return Level()\n"
    )
    scorer = TorchHubScorer(str(tmp_path), "level", key="level")
    assert scorer.score(np.array([0.1, -0.5], dtype=np.float32), 10) == pytest.approx(5)
    assert scorer.key == "level"
    with pytest.raises(InputError, match="cannot be loaded"):
        TorchHubScorer(str(tmp_path), "nothing")


@pytest.mark.parametrize(
    "file",
    [path for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "listening"],
    ids=lambda path: path.stem,
)
def test_shipped_configurations_name_what_there_is(file):
    plan = DefaultPlan(settings=read_settings(file))
    assert plan.recognizer_name


def test_unknown_names_and_options_are_refused():
    for choices, name in ((RECOGNIZERS, "siri"), (SPEAKER_ENCODERS, "x"), (QUALITY_SCORERS, "x")):
        with pytest.raises(InputError, match=f"there is no '{name}'. Choose among"):
            choices.check(Component(name))
    options = "beam_size, compute_type, device, language, model"
    with pytest.raises(InputError, match=f"no option 'size'. Choose among {options}"):
        DefaultPlan(settings=Settings(judge=Component.parse({"name": "whisper", "size": 3}, "conf")))


def test_a_plan_is_known_by_its_scorers(tmp_path):
    plain = DefaultPlan().identity()
    others = [
        Settings(judge=Component("whisper")),
        Settings(speaker=Component("wavlm")),
        Settings(second_speaker=Component("wavlm")),
        Settings(quality=(Component("dnsmos_p808"),)),
        Settings(signal=True),
        Settings(normaliser="characters"),
        Settings(by_language={"en": LanguageSettings(Component("whisper"))}),
        Settings(by_language={"zh": LanguageSettings(Component("whisper"))}),
        Settings(by_language={"zh": LanguageSettings(Component("whisper"), normaliser="characters")}),
    ]
    assert len({plain, *(DefaultPlan(settings=settings).identity() for settings in others)}) == 10
    model = Component("espnet", (("model", str(tmp_path)),))
    before = DefaultPlan(settings=Settings(judge=model)).identity()
    (tmp_path / "weights.pth").write_text("new")
    assert DefaultPlan(settings=Settings(judge=model)).identity() != before


def test_second_judges():
    two = Settings(judge=Component("whisper"), second_judge=Component("pocketsphinx"))
    plan = DefaultPlan(settings=two)
    assert (plan.recognizer_name, plan.second_name) == ("whisper", "pocketsphinx, free text")
    assert DefaultPlan(settings=Settings(judge=Component("whisper"))).second_name is None


def whisper_in(language, **more):
    judge = Component("whisper", (("language", language), ("model", "large-v3")))
    return LanguageSettings(judge, **more)


def test_judges_by_language(monkeypatch, tmp_path):
    plan = DefaultPlan(settings=read_settings(FOLDER / "en_zh.yaml"))
    assert plan.languages == ("en", "zh")
    assert plan.recognizer_name == (
        "en: whisper (language en, model large-v3); zh: whisper (language zh, model large-v3)"
    )
    assert plan.second_name is None
    assert hash(plan) == hash(DefaultPlan(settings=read_settings(FOLDER / "en_zh.yaml")))
    trained = DefaultPlan(str(tmp_path), ("one",), read_settings(FOLDER / "en_zh.yaml"))
    assert trained.second_name == "en: ESPnet CTC recogniser; zh: ESPnet CTC recogniser"
    (tmp_path / "by_language.yaml").write_text(
        "by_language:\n  English: {judge: none, second_judge: pocketsphinx}\n"
        "  cmn: {judge: none, second_judge: none, normaliser: characters}\nspeaker: wavlm\n"
    )
    fake_transformers(monkeypatch)
    plan = DefaultPlan(settings=read_settings(tmp_path / "by_language.yaml"))
    assert plan.second_name == "en: pocketsphinx, free text; zh: none"
    judges = plan.build().judges
    assert [judges[language].normalise("Ni Hao!") for language in ("en", "zh")] == ["Ni Hao!", "n i h a o"]
    assert judges["zh"].hear(SECOND, RATE) == ("", "")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by_language": {False: whisper_in("no")}}, "False is no language. Write its code in quotes"),
        ({"by_language": {"en": whisper_in("en"), "eng": whisper_in("en")}}, "'en' is there twice"),
        ({"by_language": {"en": whisper_in("en")}, "judge": Component("none")}, "stands beside a judge"),
        ({"by_language": {"en": whisper_in("en")}, "normaliser": "characters"}, "stands beside a judge"),
        (
            {"by_language": {"en": whisper_in("en", second_judge=Component("none")), "zh": whisper_in("zh")}},
            "has a second_judge of some languages only",
        ),
    ],
)
def test_judges_by_language_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(InputError, match=f"by_language: .*{message}"):
        Settings(**settings)
    with pytest.raises(InputError, match="there is no 'latin'"):
        whisper_in("la", normaliser="latin")


def test_second_speaker_encoders():
    one = DefaultPlan()
    assert (one.speaker_name, one.second_speaker_name) == ("Resemblyzer", None)
    two = DefaultPlan(settings=Settings(Component("none"), second_speaker=Component("wavlm")))
    assert (two.speaker_name, two.second_speaker_name) == ("Resemblyzer", "wavlm")
    with pytest.raises(InputError, match="there is no 'ears'"):
        DefaultPlan(settings=Settings(second_speaker=Component("ears")))


def test_normalisers(monkeypatch):
    assert characters("你好，世界！") == "你 好 世 界"
    install(monkeypatch, "whisper_normalizer")
    install(
        monkeypatch, "whisper_normalizer.english",
        EnglishTextNormalizer=lambda: lambda text: text.replace("Mr.", "mister"),
    )  # fmt: skip
    assert NORMALISERS["whisper_english"]("Mr. Smith!") == "mister smith"
    assert NORMALISERS["spelled_english"]("T-E-E, 50") == NORMALISERS["spelled_english"]("tee 5 o")
    assert NORMALISERS["spelled_english"]("tee") == "t e e"
    simplified = SimpleNamespace(convert=lambda text: text.replace("館", "馆"))
    install(monkeypatch, "opencc", OpenCC=lambda way: simplified)
    assert NORMALISERS["mandarin"]("纪念館。") == "纪 念 馆"
    monkeypatch.setitem(sys.modules, "opencc", None)
    plan = DefaultPlan(settings=Settings(Component("none"), normaliser="mandarin"))
    with pytest.raises(InputError, match="the normaliser mandarin: needs the package opencc"):
        plan.build()


def test_either_script_of_mandarin_is_heard():
    pytest.importorskip("opencc")
    assert NORMALISERS["mandarin"]("上海孫中山故居紀念館，Loft") == NORMALISERS["mandarin"](
        "上海孙中山故居纪念馆loft"
    )


def test_spelling_and_digits_are_heard_however_they_are_written():
    pytest.importorskip("whisper_normalizer")
    spelled = NORMALISERS["spelled_english"]
    said = "rubout t g j w b seventy nine fifty nine"
    for heard in ("Rub out T-G-J-W-B 79 59.", "Rubout TGJWB 7959", "rub out t. g. j. w. b., 79, 59"):
        assert spelled(heard) == spelled(said)
    assert spelled("one five two one seven") == spelled("1-5-2-1-7") == spelled("15217") == "1 5 2 1 7"
    assert spelled("two six oh eight") == spelled("2608") == spelled("2 6 O 8")
    assert spelled("H.O.W.E.L.L.") == spelled("Howell") == spelled("h o w e l l")
