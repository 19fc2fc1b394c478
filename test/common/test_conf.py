import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from espnet2_valle.common.conf import CONF, find, locate, names, read_config, read_yaml, with_bases
from espnet2_valle.common.errors import InputError

ROOT = Path(__file__).parents[2]


def test_what_a_file_maps(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text("size: 3\nnested: {a: 1}\n")
    assert read_yaml(path, "--config") == {"size": 3, "nested": {"a": 1}}
    path.write_text("# nothing but this\n")
    assert read_yaml(path, "--config") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"conf\.yaml: cannot be read \(No such file or directory\)\. Correct --config"),
        (b"a: [", r"conf\.yaml: is not YAML"),
        (b"\xff\xfe\xfa", r"conf\.yaml: is not YAML"),
        (b"- 1\n", r"conf\.yaml: holds no keys"),
        (b"word", r"conf\.yaml: holds no keys"),
    ],
)
def test_files_that_map_nothing(tmp_path, content, message):
    if content is not None:
        (tmp_path / "conf.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_yaml(tmp_path / "conf.yaml", "--config")


def test_a_file_of_the_user_goes_before_that_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in ("score/default.yaml", "conf/score/default.yaml", Path("conf/score/default.yaml")):
        assert locate(given) == find("score/default.yaml")
    assert read_yaml("conf/codec/encodec.yaml", "--config") == read_yaml(
        ROOT / "conf/codec/encodec.yaml", "--config"
    )
    mine = Path("conf/score/default.yaml")
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert locate(mine) == mine
    assert read_yaml(mine, "--config") == {}


@pytest.mark.parametrize("given", ["gone.yaml", "/gone/decode.yaml", "../decode.yaml", "conf", "score"])
def test_what_is_no_shipped_file_stays_as_it_was_given(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    assert locate(given) == Path(given)


def test_names_of_a_folder():
    assert "temperature" in names("study")
    assert names("gone") == []


def test_no_default_is_relative_to_the_working_directory():
    defaults = [
        (path.name, keyword.value.value)
        for path in sorted((ROOT / "espnet2_valle").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for keyword in getattr(node, "keywords", ())
        if keyword.arg == "default" and isinstance(keyword.value, ast.Constant)
    ]
    assert len(defaults) > 50
    assert [given for given in defaults if str(given[1]).endswith(".yaml")] == []


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_in_a_wheel_and_configurations_are_found_there_from_any_folder(tmp_path):
    """`build_py` lays out what a wheel holds."""
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = ["setup.py", "-q", "build_py", "--build-lib", str(site)]
    subprocess.run([sys.executable, *build], cwd=ROOT, check=True, capture_output=True)
    package = {name for name in files_below(ROOT / "espnet2_valle") if not name.endswith(".pyc")}
    shipped = [*CONF.rglob("*.yaml"), *CONF.glob("*.txt")]
    configs = {f"conf/{path.relative_to(CONF)}" for path in shipped}
    assert files_below(site / "espnet2_valle") == package | configs
    code = (
        "import json; from espnet2_valle.common.conf import CONF, locate; "
        "print(json.dumps([str(CONF), str(locate('conf/score/default.yaml'))]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env={"PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
    )
    conf = site / "espnet2_valle" / "conf"
    assert json.loads(ran.stdout) == [str(conf), str(conf / "score" / "default.yaml")]


def write_layers(folder):
    (folder / "sizes").mkdir()
    (folder / "all.yaml").write_text(
        "seed: 1\nsteps: [0, 9]\nmodel: {width: 4, heads: 2}\nnote: {by: me}\nnone:\n"
    )
    (folder / "sizes" / "large.yaml").write_text("base: ../all.yaml\nmodel: {width: 8}\nsteps: [5]\nnote:\n")
    (folder / "sizes" / "huge.yaml").write_text(
        "base: large.yaml\nmodel: {width: 16, heads: null, depth: {a: 1}}\n"
    )
    return folder / "sizes"


def test_a_config_is_laid_over_its_bases(tmp_path, monkeypatch):
    sizes = write_layers(tmp_path)
    large = {"seed": 1, "steps": [5], "model": {"width": 8, "heads": 2}, "none": None}
    huge = {**large, "model": {"width": 16, "depth": {"a": 1}}}
    assert read_config(sizes / "large.yaml") == large
    monkeypatch.chdir(tmp_path)
    assert read_config("sizes/huge.yaml") == huge
    assert list(huge) == list(read_config("sizes/huge.yaml"))


def test_what_a_config_is_made_of(tmp_path, monkeypatch):
    sizes = write_layers(tmp_path)
    files = [file.resolve() for file in with_bases(sizes / "huge.yaml")]
    assert files == [sizes / "huge.yaml", sizes / "large.yaml", tmp_path / "all.yaml"]
    assert with_bases(tmp_path / "all.yaml") == [tmp_path / "all.yaml"]
    (tmp_path / "other.yaml").write_text("base: no file\n")
    for name in ("other.yaml", "gone.yaml"):
        assert with_bases(tmp_path / name) == [tmp_path / name]


def test_a_shipped_config_can_be_the_base_of_ones_own(tmp_path):
    for base in ("train_ar_mini.yaml", "conf/train_ar_mini.yaml"):
        (tmp_path / "my.yaml").write_text(f"base: {base}\nmax_epoch: 1\n")
        mini = read_yaml(find("train_ar_mini.yaml"), "--config")
        assert read_config(tmp_path / "my.yaml") == {**mini, "max_epoch": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("base: gone.yaml", r"gone\.yaml: cannot be read .*Correct base in .*my\.yaml"),
        ("base: my.yaml", r"my\.yaml: its bases go round in a circle: my\.yaml comes twice"),
        ("base: [a, b]", r"my\.yaml: base is \['a', 'b'\]\. Write the path of one config"),
    ],
)
def test_bases_at_fault_are_named(tmp_path, content, message):
    (tmp_path / "my.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        read_config(tmp_path / "my.yaml")


TRAININGS = sorted(path for kind in ("ar", "nar", "ns2") for path in CONF.rglob(f"train_{kind}_*.yaml"))


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_the_learning_rate_ends_with_the_training(path):
    """Also where a base has changed its length since."""
    config = read_config(path)
    steps = config["max_epoch"] * config["num_iters_per_epoch"]
    assert config["scheduler_conf"]["warmup_steps_list"][-1] == steps
    assert config.get("valle", "ns2") == path.stem.split("_")[1]
