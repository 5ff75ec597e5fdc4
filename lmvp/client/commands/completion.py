"""The command that completes commands: the scripts for the shells, and the answer that these ask for."""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

from lmvp.client.commands.command import Answer, Argument, command
from lmvp.client.completing import candidates
from lmvp.client.errors import LMVPError

if TYPE_CHECKING:
    from lmvp.client.api import Client

PATIENCE = 2.0  # seconds: somebody has pressed TAB and waits
FILES = ":files"  # the answer that lets the shell offer files

BASH = """\
_lmvp() {
  local line="${COMP_LINE:0:COMP_POINT}" answer one word prefix=
  word="${line##*[[:space:]]}"
  [[ "$COMP_WORDBREAKS" == *@* && "$word" == *@* ]] && prefix="${word%@*}@"
  answer="$(lmvp completion --words "$line" 2>/dev/null)"
  COMPREPLY=()
  if [ "$answer" = ":files" ]; then compopt -o default; return; fi
  while IFS= read -r one; do
    [ -n "$one" ] && COMPREPLY+=("${one#"$prefix"}")
    [[ "$one" == */ ]] && compopt -o nospace
  done <<< "$answer"
}
complete -F _lmvp lmvp
"""
ZSH = """\
#compdef lmvp
_lmvp() {
  local answer="$(lmvp completion --words "${LBUFFER}" 2>/dev/null)"
  local -a found=("${(@f)answer}")
  if [[ "$answer" == ":files" ]]; then _files
  else compadd -S '' -- "${(@M)found:#*/}"; compadd -- "${(@)found:#*/}"; fi
}
compdef _lmvp lmvp
"""
FISH = """\
function __lmvp
  set -l answer (lmvp completion --words (commandline --cut-at-cursor) 2>/dev/null)
  if test "$answer" = ":files"
    __fish_complete_path (commandline --current-token)
  else
    printf '%s\\n' $answer
  end
end
complete --command lmvp --no-files --arguments '(__lmvp)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@command(
    "completion",
    Argument("shell", nargs="?", choices=sorted(SCRIPTS), help="the shell that shall complete"),
    Argument("--words", metavar="LINE", help="what the shells ask: the line as far as it is typed"),
)
def completion(client: Client, args: argparse.Namespace) -> Answer:
    """Print the script that lets a shell complete commands, options, names and revisions.

    For bash: lmvp completion bash >> ~/.bashrc; for zsh: >> ~/.zshrc; for fish: > ~/.config/fish/completions/lmvp.fish

    example: lmvp completion bash
    """
    if args.words is not None:
        return Answer("\n".join(_found_in_time(args.parser, args.words, client)), None)
    return Answer(SCRIPTS[args.shell or "bash"].rstrip(), None)


def _found_in_time(parser: argparse.ArgumentParser, line: str, client: Client) -> list[str]:
    """Return what fits; nothing where the server is slow, away or refuses: a TAB must not hang or shout."""
    found: list[str] = []
    asking = threading.Thread(target=lambda: found.extend(_found(parser, line, client)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return list(found)


def _found(parser: argparse.ArgumentParser, line: str, client: Client) -> list[str]:
    words = line.split()[1:] + ([""] if line[-1:].isspace() else [])
    try:
        found = candidates(parser, words, client)
    except LMVPError:
        return []
    return [FILES] if found is None else found
