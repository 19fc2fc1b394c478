import argparse

import pytest
from espnet2.utils import config_argparse
from espnet2.utils.nested_dict_action import NestedDictAction

from espnet2_valle.common.config_parser import run_task, with_bases_read
from espnet2_valle.common.errors import InputError


def parser():
    """As ESPnet makes one for a task."""
    plain = config_argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter)
    plain.set_defaults(required=["output_dir"])
    group = plain.add_argument_group("model")
    group.add_argument("--width", type=int, default=1)
    group.add_argument("--conf", action=NestedDictAction, default={})
    return with_bases_read(plain)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "small.yaml").write_text("width: 2\nconf: {a: 1, b: 2}\n")
    path = tmp_path / "large.yaml"
    path.write_text("base: small.yaml\nwidth: 8\nconf: {b: 3}\n")
    return path


def test_a_config_stands_on_its_base_and_the_command_line_on_both(config):
    args = parser().parse_args([f"--config={config}"])
    assert vars(args) == {
        "config": str(config),
        "width": 8,
        "conf": {"a": 1, "b": 3},
        "required": ["output_dir"],
    }
    args = parser().parse_args([f"--config={config}", "--width=9", "--conf", "a=5"])
    assert (args.width, args.conf) == (9, {"a": 5, "b": 3})
    assert parser().parse_args([]).width == 1


def test_help_names_each_option_once(capsys):
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args(["--help"])
    assert capsys.readouterr().out.count("  --config") == 1


def test_a_config_at_fault_is_named(config, capsys):
    with pytest.raises(InputError, match=r"gone\.yaml: cannot be read"):
        parser().parse_args(["--config=gone.yaml"])
    config.write_text("base: small.yaml\nwitdh: 3\n")
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args([f"--config={config}"])
    assert f"unrecognized arguments: witdh (from {config})" in capsys.readouterr().err


def test_a_task_of_espnet_is_run_with_what_the_base_of_its_config_says(config):
    class Task:
        ran = None

        @classmethod
        def get_parser(cls):
            plain = config_argparse.ArgumentParser()
            plain.add_argument("--width", type=int, default=1)
            plain.add_argument("--conf", action=NestedDictAction, default={})
            return plain

        @classmethod
        def main(cls, args):
            cls.ran = args

    run_task(Task, [f"--config={config}", "--conf", "a=5"])
    assert (Task.ran.width, Task.ran.conf) == (8, {"a": 5, "b": 3})
