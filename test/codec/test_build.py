import pytest
import yaml

from espnet2_valle.codec.build import build_codec, load_codec, save_codec_config
from espnet2_valle.common.errors import InputError


@pytest.fixture
def folder(codec, tmp_path):
    codec.save(tmp_path / "codec.npz")
    save_codec_config(tmp_path / "codec.yaml", codec, "codec.npz", {})
    return tmp_path


def edit(folder, **changes):
    path = folder / "codec.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
    return path


def test_a_codec_opens_wherever_its_folder_lies(codec, folder, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "codec"
    folder.rename(moved)
    assert load_codec(moved / "codec.yaml").spec == codec.spec


def test_an_absolute_model_path(codec, folder, tmp_path_factory):
    model = tmp_path_factory.mktemp("elsewhere") / "codec.npz"
    (folder / "codec.npz").rename(model)
    assert load_codec(edit(folder, model=str(model))).spec == codec.spec


def test_a_codec_yaml_of_before_utterance_codebooks(codec, folder):
    path = folder / "codec.yaml"
    content = yaml.safe_load(path.read_text())
    del content["utterance_codebooks"]
    path.write_text(yaml.safe_dump(content))
    assert load_codec(path).spec == codec.spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame_rate": 75.0}, r"codec\.yaml: says frame_rate 75.0, but .*codec\.npz has 50"),
        ({"num_codebooks": 8}, "says num_codebooks 8, but .* has 3"),
        ({"utterance_codebooks": 1}, "says utterance_codebooks 1, but .* has 0"),
        ({"type": "wrold"}, "unknown type 'wrold'"),
        ({"model": "other.npz"}, r"other\.npz: no such codec"),
        ({"model": None}, "world needs its model file"),
        ({"options": {"bandwidth": 6}}, "codec world: there is no option 'bandwidth'. Leave it out"),
        ({"modle": "x"}, r"its keys differ from a codec\.yaml in \['modle'\]"),
    ],
)
def test_a_codec_yaml_that_does_not_match(folder, change, message):
    with pytest.raises(InputError, match=message):
        load_codec(edit(folder, **change))


def test_a_missing_or_broken_codec_yaml(tmp_path):
    with pytest.raises(InputError, match="no such codec configuration"):
        load_codec(tmp_path / "codec.yaml")
    (tmp_path / "codec.yaml").write_text("a: [")
    with pytest.raises(InputError, match="not YAML"):
        load_codec(tmp_path / "codec.yaml")
    (tmp_path / "codec.yaml").write_text("just a word")
    with pytest.raises(InputError, match="its keys differ"):
        load_codec(tmp_path / "codec.yaml")


def test_an_unknown_codec():
    with pytest.raises(InputError, match="Use one of world, encodec, espnet, lyra"):
        build_codec("opus", None, {})
