"""ESPnet's parser of options, for configs that name another one as their base."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from espnet2.utils import config_argparse

from espnet2_valle.common.conf import read_config

if TYPE_CHECKING:
    from espnet2.tasks.abs_task import AbsTask


class ConfigParser(config_argparse.ArgumentParser):
    """Parser whose `--config` is read as by `read_config`: with its base, and from any folder.

    Args:
        parents, ...: as of argparse.ArgumentParser.
    """

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Parse options; what the config says are their defaults.

        Raises:
            InputError: the config cannot be read.
        """
        plain = super(config_argparse.ArgumentParser, self).parse_known_args
        given, _ = plain(args, namespace)
        if given.config is not None:
            content = read_config(given.config)
            known = {action.dest for action in self._actions}
            for key in content:
                if key not in known:
                    self.error(f"unrecognized arguments: {key} (from {given.config})")
            self.set_defaults(**content)
        return plain(args, namespace)


def with_bases_read(parser: argparse.ArgumentParser) -> ConfigParser:
    """Parser with all options of `parser`, one of ESPnet's, that reads its `--config` as said above."""
    return ConfigParser(
        description=parser.description,
        formatter_class=parser.formatter_class,
        parents=[parser],
        add_help=False,
        conflict_handler="resolve",  # of the two --config, which are alike
        allow_abbrev=False,  # an option that is gone would be taken for a longer one
    )


def run_task(task: "type[AbsTask]", words: Sequence[str]) -> None:
    """Run a task of ESPnet with these words; its `--config` may name a `base`."""
    task.main(args=with_bases_read(task.get_parser()).parse_args(words))
