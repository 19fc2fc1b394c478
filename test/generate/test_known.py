"""What an open model says that it may be told."""

from espnet2_valle.generate.known import Known, known_of
from espnet2_valle.generate.text2speech import Text2Speech


def test_a_model_tells_its_languages_and_its_style(files, told, styled):
    assert [known_of(Text2Speech.from_files(**each, native="never")) for each in (files, told, styled)] == [
        Known(),
        Known(("de", "en"), ("de", "en")),
        Known(
            emotions=("angry", "happy", "neutral", "sad"),
            levels={"speaking_rate": 5, "pitch_level": 5, "pitch_variation": 5, "energy": 5},
        ),
    ]
