import pytest

from espnet2_valle.common.conf import CONF
from espnet2_valle.common.errors import InputError
from espnet2_valle.study.config import PromptChange, Variant, read_study

FOLDER = CONF / "study"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_there_are_can_be_read(path):
    study = read_study(path)
    assert study.title
    assert study.variants[0].name


def test_entries_become_variants(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "title: T\naxis: x\nvoice: reference\nvariants:\n"
        "  - {name: a}\n"
        "  - {name: b, x: 2, decode: {temperature: 0.5}, prompt: {disturbance: noise, snr: 5}}\n"
    )
    study = read_study(tmp_path / "s.yaml")
    assert study.voice == "reference"
    assert study.variants == (
        Variant("a"),
        Variant("b", 2, decode={"temperature": 0.5}, prompt=PromptChange(disturbance="noise", snr=5)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: T\naxis: x\nvariants: [{name: a}, {name: a}]", "variants: are"),
        ("title: T\naxis: x\nvariants: []", "variants: are"),
        (
            "title: T\naxis: x\nscale: log\nvariants: [{name: a, x: 1}, {name: b}]",
            "scale: is log, and a variant",
        ),
        ("title: T\naxis: x", "lacks the key 'variants'"),
        ("title: T\naxis: x\nvariants: a", "variants is 'a'. Write a list"),
        ("- a", "holds no keys"),
        ("axis: x\nvariants: [{name: a}]", "lacks the key 'title'. Compare with the files in conf/study"),
        (
            "title: T\naxis: x\nvariants: [{name: a, temperature: 1}]",
            r"variants\[0\]: there is no key 'temperature'",
        ),
        ("title: T\naxis: x\nvariants: [a]", r"variants\[0\] is 'a'"),
        ("title: T\naxis: x\nvariants: [{name: a, prompt: {disturbance: rain}}]", "no 'rain'.*noise, voice"),
        ("title: T\naxis: x\nvariants: [{name: a, prompt: {seconds: 0}}]", "prompt.seconds: 0"),
        ("title: T\naxis: x\nvariants: [{name: a, source: human}]", "source: there is no 'human'"),
        ("title: T\naxis: x\nvariants: [{name: a, codebooks: 0}]", "codebooks: 0"),
        ("title: T\naxis: x\nover: time\nvariants: [{name: a}]", "over: there is no 'time'"),
        ("title: [", "is not YAML"),
    ],
)
def test_a_study_that_cannot_be_used_is_named(tmp_path, text, message):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        read_study(tmp_path / "s.yaml")
    assert str(tmp_path / "s.yaml") in str(raised.value)


def test_a_study_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no.yaml: cannot be read"):
        read_study(tmp_path / "no.yaml")
