"""`valle demo` before there is a page."""

import subprocess
import sys

WITHOUT = """
import sys
sys.modules.update(gradio=None, pydantic=None)
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.serve.demo import demo
from espnet2_valle.serve.options import ServeOptions
from espnet2_valle.serve.server import ServeSpec
demo(ServeSpec(ModelSpec(), None, None, ServeOptions(), "conf/longform.yaml", "127.0.0.1", 0, 1, 0, "none"))
"""


def test_a_missing_extra_is_named():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "InputError: the page: needs the package gradio" in done.stderr
    assert "Run `pip install 'espnet2_valle[demo]'`" in done.stderr
