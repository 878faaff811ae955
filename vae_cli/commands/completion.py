"""`vae completion`: the script that makes a shell complete our commands."""

from vae_cli.cli import CANDIDATES, COMMANDS
from vae_cli.errors import UsageError, closest

NAMES = " ".join(["vae", *(f"vae-{name}" for name in COMMANDS)])

SCRIPTS = {
    "bash": f"""\
_vae_complete() {{
  local IFS=$'\\n' line=${{COMP_LINE:0:COMP_POINT}} head=
  local word=${{line##*[[:space:]]}}
  # readline replaces what follows the last =, where = separates words
  [[ $COMP_WORDBREAKS == *=* && $word == *=* ]] && head=${{word%"${{word##*=}}"}}
  COMPREPLY=($(vae {CANDIDATES} "$line" 2>/dev/null))
  if [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *[=/.] ]]; then
    compopt -o nospace 2>/dev/null
  fi
  COMPREPLY=("${{COMPREPLY[@]#"$head"}}")
}}
complete -F _vae_complete {NAMES}
""",
    "zsh": f"""\
_vae() {{
  local -a found open whole
  found=(${{(f)"$(vae {CANDIDATES} "${{(j: :)words[1,CURRENT]}}" 2>/dev/null)"}})
  open=(${{(M)found:#*[=/.]}})
  whole=(${{found:#*[=/.]}})
  compadd -S '' -- $open
  compadd -- $whole
}}
compdef _vae {NAMES}
""",
    "fish": f"""\
for name in {NAMES}
  complete -c $name -f -a '(vae {CANDIDATES} (commandline -cp | string collect))'
end
""",
}
"""Shell -> script. Each asks `vae _candidates` with the line up to the cursor."""


def completion_command(arguments: list[str]) -> int:
    """Print a shell's script.

    Raises:
        UsageError: anything but the name of one shell.
    """
    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        guess = closest(arguments[0], SCRIPTS) if len(arguments) == 1 else None
        raise UsageError(
            f"vae completion takes a shell: {', '.join(SCRIPTS)}.",
            f"did you mean vae completion {guess}?"
            if guess
            else 'in ~/.bashrc: eval "$(vae completion bash)"',
        )
    print(SCRIPTS[arguments[0]], end="")
    return 0
