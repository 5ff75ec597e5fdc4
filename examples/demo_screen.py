"""How the demo looks on the screen: steps, curves, digits, and the last page. Does nothing."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import numpy as np

COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def step(number: int, title: str) -> None:
    print("\n" + bold(f"{number}. {title}"), flush=True)


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if COLOURED else text


def dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if COLOURED else text


def aside(text: str) -> str:
    """Return a long remark on lines of its own."""
    return dim(textwrap.fill(text, 100, initial_indent=" " * 6, subsequent_indent=" " * 6))


def shown(path: Path) -> str:
    """Return the path as one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def curve(losses: list[float], width: int = 20) -> str:
    """Return a falling line of blocks: the loss over the epochs."""
    blocks = "▁▂▃▄▅▆▇█"
    picked = [losses[index * (len(losses) - 1) // (width - 1)] for index in range(width)]
    top = max(picked)
    return "".join(blocks[min(int(loss / top * len(blocks)), len(blocks) - 1)] for loss in picked)


def picture(images: np.ndarray) -> str:
    """Return 8 × 8 pictures side by side, two characters a pixel."""
    shades = np.array(list(" ░▒▓█"))
    pixels = shades[(images.reshape(-1, 8, 8) * 4).round().astype(int)]
    lines = ("   ".join("".join(pixel * 2 for pixel in row) for row in line) for line in pixels.swapaxes(0, 1))
    return "\n".join(f"   {line}".rstrip() for line in lines)


def what_is_there(url: str, model: str, password: str, data: Path) -> str:
    """Return the last page: where to look, as whom, and what to try next."""
    project = model.partition("/")[0]
    return f"""
{bold("Everything worked.")} Have a look:

   {url}/         what happened, and the models, in the browser
   {url}/{model}/   what was trained just now
   {url}/docs/    the API, to try out: sign in and authorize
   {url}/admin/   the admin, as operator@example.org

   ada@example.org        owner of the project
   ben@example.org        contributor: publishes
   cleo@example.org       viewer: downloads
   operator@example.org   superuser, for the admin
   Password of each:      {bold(password)}   {dim(f"(made for {shown(data)})")}

Next, in {bold(".venv/bin/python")}:

   import lmvp
   lmvp.login("ada@example.org", "{password}", server="{url}")
   local = lmvp.download("{model}", revision="production")
   lmvp.publish("my-first-model", local.path, message="Mine now", metrics={{"accuracy": 0.97}})

or with curl, and the access token that the first call answers:

   curl {url}/auth/login/ -H "Content-Type: application/json" \\
        -d '{{"email": "cleo@example.org", "password": "{password}"}}'
   curl {url}/v1/projects/{project}/models/ -H "Authorization: Bearer <access>\""""
