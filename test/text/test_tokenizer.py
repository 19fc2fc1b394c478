import os
import subprocess
import sys
from pathlib import Path

import nltk
import pytest

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.text import tokenizer as module
from espnet2_valle.text.bpe import train_bpe
from espnet2_valle.text.reading import CURRENT, ESPNET
from espnet2_valle.text.tokenizer import build_tokenizer, check_nltk_data, tokenize

SHARED = Path(os.environ.get("ESPNET2_VALLE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
ESPEAK = "espeak_ng_english_us_vits"


def test_characters():
    assert build_tokenizer("char").text2tokens("ab c") == ["a", "b", "<space>", "c"]


def test_espeak_phones_need_no_system_package():
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    tokens = build_tokenizer("phn", ESPEAK).text2tokens("seven")
    assert "".join(tokens).replace("ˈ", "") == "sɛvən"


def espeak(language, text, reading=CURRENT):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    return build_tokenizer("phn", f"espeak_ng_{language}", "none", reading=reading).text2tokens(text)


def test_espeaks_punctuation_stands_by_itself_and_no_language_is_marked():
    text = "Guten Morgen, wie geht es dir? Gut, mein neues Bike."
    tokens = espeak("german", text)
    assert [token for token in tokens if not token[-1].isalnum() and token[-1] != "ː"] == [",", "?", ",", "."]
    assert not any("(" in token for token in tokens)
    assert {",v", "?ɡ", "(en)", "(de)"} < set(espeak("german", text, ESPNET))  # as models before were trained


@pytest.mark.parametrize(
    ("language", "text", "marks"),
    [
        ("arabic", "مرحبا، كيف؟ OK", ",?"),
        ("dutch", "Hallo, hoe gaat het? Computer.", ",?."),
        ("english_us_vits", "नमस्ते, hello.", ",."),
        ("finnish", "Hei, mitä kuuluu? Software!", ",?!"),
        ("french", "«Bonjour», ça va? Le week-end!", "«»,?!"),
        ("german", '"Ja," - nein; (gut) ... Team', '",";()...'),
        ("greek", "Γειά, τι κάνεις; hello", ",;"),
        ("hindi", "नमस्ते, hello।", ",."),
        ("hungarian", "Szia, hogy vagy? Software.", ",?."),
        ("italian", "Ciao, come va? Il weekend.", ",?."),
        ("polish", "Cześć, jak? Weekend.", ",?."),
        ("russian", "Привет, как дела? Hello.", ",?."),
        ("spanish", "Hola, ¿qué tal? ¡Software!", ",¿?¡!"),
        ("ukrainian", "Привіт, як справи? Hello.", ",?."),
    ],
)
def test_the_phones_of_every_espeak_language_are_phones(language, text, marks):
    tokens = espeak(language, text)
    assert "".join(token for token in tokens if not any(map(str.isalnum, token))) == marks
    assert not any(set(token) & set(',;:.!?¡¿()"«»') for token in tokens if len(token) > 1)


def test_mini_texts_are_read_as_before():
    for text in ("right one eight", "left nine open", "seven two nine, four!"):
        assert espeak("english_us_vits", text) == espeak("english_us_vits", text, ESPNET)


@pytest.mark.parametrize("g2p", [ESPEAK, "espeak_ng_german", "pypinyin_g2p_phone", None])
@pytest.mark.parametrize("text", ["", " ", "\u00a0"])
@pytest.mark.parametrize("reading", [ESPNET, CURRENT])
def test_an_empty_text_has_no_token(g2p, text, reading):
    if g2p and g2p.startswith("espeak"):
        pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    assert build_tokenizer("phn", g2p, reading=reading).text2tokens(text) == []


def test_full_width_letters_are_letters_but_for_models_that_learnt_them():
    assert build_tokenizer("char").text2tokens("Ａb") == ["A", "b"]
    assert build_tokenizer("char", reading=ESPNET).text2tokens("Ａb") == ["Ａ", "b"]
    assert build_tokenizer("phn").text2tokens("tʰ aⁿ") == ["tʰ", "aⁿ"]  # given as phones


@pytest.mark.parametrize(
    ("text", "message"), [("a\x00b", "is U\\+0000, which is no writing"), ("中文", "is not English")]
)
def test_a_text_that_would_be_misread_is_refused(text, message):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    with pytest.raises(InputError, match=message):
        tokenize(text, ("phn", ESPEAK, None, None))


def test_the_cleaner_comes_first():
    assert build_tokenizer("char", cleaner="tacotron").text2tokens("dr.") == list("DOCTOR")
    assert build_tokenizer("char", cleaner="none").text2tokens("dr.") == list("dr.")


def test_g2p_en_with_its_data(monkeypatch):
    data = SHARED / "nltk_data"
    if not data.is_dir():
        pytest.skip("NLTK's data is not in ../shared")
    monkeypatch.setattr(nltk.data, "path", [str(data)])
    assert build_tokenizer("phn", "g2p_en_no_space").text2tokens("hello there") == [
        "HH",
        "AH0",
        "L",
        "OW1",
        "DH",
        "EH1",
        "R",
    ]


def test_missing_nltk_data_is_an_error_with_the_command_and_the_offline_choice(monkeypatch, tmp_path):
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(InputError) as caught:
        build_tokenizer("phn", "g2p_en_no_space")
    assert "python -m nltk.downloader cmudict averaged_perceptron_tagger_eng" in caught.value.remedy
    assert "--token_type char" in caught.value.remedy
    (tmp_path / "corpora" / "cmudict").mkdir(parents=True)
    with pytest.raises(InputError, match="needs the NLTK data averaged_perceptron_tagger_eng, found"):
        check_nltk_data()


def test_importing_espnet_downloads_nothing(tmp_path):
    script = (
        "import nltk; nltk.download = lambda *a, **k: print('DOWNLOAD')\n"
        "from espnet2_valle.text.tokenizer import build_tokenizer\n"
        "print(build_tokenizer('char').text2tokens('a'))"
    )
    environment = {**os.environ, "NLTK_DATA": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['a']\n"


def test_missing_espeak_packages_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(InputError, match=r"espnet2_valle\[espeak\]"):
        build_tokenizer("phn", ESPEAK)


def test_a_missing_package_of_another_g2p_is_named():
    with pytest.raises(WorkError, match="--g2p: this choice needs the Python package 'pyopenjtalk'"):
        build_tokenizer("phn", "pyopenjtalk").text2tokens("a")


def test_what_a_worker_lacks_for_a_tokenizer_is_no_fault_of_the_text():
    with pytest.raises(WorkError, match="no such sentencepiece model: 'gone.model'"):
        tokenize("a", ("bpe", None, None, "gone.model"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"token_type": "phones"}, "--token_type: unknown value 'phones'"),
        ({"token_type": "phn", "g2p": "g2p_xx"}, "--g2p: unknown value 'g2p_xx'"),
        ({"token_type": "char", "cleaner": "soap"}, "--cleaner soap"),
        ({"token_type": "bpe"}, "--bpemodel: no such sentencepiece model"),
        ({"token_type": "bpe", "bpemodel": "gone.model"}, "no such sentencepiece model: 'gone.model'"),
    ],
)
def test_unknown_choices_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        build_tokenizer(**arguments)


def test_bpe_is_fitted_and_used(tmp_path):
    model = tmp_path / "bpe.model"
    train_bpe(["low lower lowest", "new newer newest"] * 5, model, 20)
    tokens = build_tokenizer("bpe", bpemodel=model).text2tokens("lower")
    assert "".join(tokens) == "▁lower"
    assert len(tokens) < len("▁lower")


def test_too_many_bpe_pieces_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(InputError, match="--nbpe: 5000 pieces cannot be fitted"):
        train_bpe(["low"], tmp_path / "bpe.model", 5000)
    assert not list(tmp_path.iterdir())


def test_a_process_makes_its_tokenizer_once(monkeypatch):
    made = []

    class Letters:
        def text2tokens(self, line):
            return list(line)

    module.cached_tokenizer.cache_clear()
    monkeypatch.setattr(module, "build_tokenizer", lambda *choice: made.append(choice) or Letters())
    choice = ("char", None, None, None)
    assert [tokenize(text, choice) for text in ("a", "bc")] == [["a"], ["b", "c"]]
    assert made == [choice]
    module.cached_tokenizer.cache_clear()
