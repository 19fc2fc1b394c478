"""ESPnet's own TTS systems on the recipe's data, to stand beside VALL-E."""

from espnet2_valle.common.espnet_imports import import_espnet_quietly

import_espnet_quietly()  # before this package imports espnet2
