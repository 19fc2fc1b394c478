"""ESPnet's own TTS systems on the recipe's data, to stand beside VALL-E."""

from espnet2_valle.common.offline import import_g2p_without_download

import_g2p_without_download()  # before this package imports espnet2
