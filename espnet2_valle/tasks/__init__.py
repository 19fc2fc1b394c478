"""The classes of ours that ESPnet's training knows."""

from espnet2_valle.common.espnet_imports import import_espnet_quietly

import_espnet_quietly()  # before this package imports espnet2
