import subprocess

from espnet2_valle.recipe.shell import as_shell


def test_a_shell_gets_what_python_has():
    value = 'it\'s $HOME "and" `more`\\ \n*'
    words = as_shell({"text": value, "flag": True, "other": False, "none": [], "many": ["a b", "", value]})
    script = (
        f'set -euo pipefail\n{words}"$other" || printf "%s|" "$text" "$flag" ${{#none[@]}} "${{many[@]}}"'
    )
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown == "|".join([value, "true", "0", "a b", "", value, ""])
