"""The commands: parsers, and one call each. They share the machine's cores with whatever else runs there."""

from espnet2_valle.common.machine import share_cores

share_cores()  # before any of them loads torch
