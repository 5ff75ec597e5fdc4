"""`make demo`: a team trains a model three times, publishes it, promotes the best, and gets it back.

Everything goes through the Python client and the API, as you would do it; only the four accounts are made directly
(demo_team.py). `--exit` ends after the walk; otherwise the server stays for a look.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import requests
from demo_screen import aside, bold, curve, dim, picture, shown, step, what_is_there
from demo_server import ROOT, Server, running_server
from digits import train

sys.path.insert(0, str(ROOT))

import lmvp
from lmvp import settings

PROJECT, MODEL = "digits", "digits/classifier"
ROLES = {"ben": "contributor", "cleo": "viewer"}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Run:
    """One training run of the team."""

    by: str
    message: str
    settings: train.Settings


RUNS = (
    Run("ada", "A first try: 16 hidden units", train.Settings(hidden=16, epochs=10, learning_rate=0.1)),
    Run("ben", "Wider, and trained longer", train.Settings(hidden=64, epochs=40, learning_rate=0.2)),
    Run("ada", "Would an eighth of the size do?", train.Settings(hidden=8, epochs=40, learning_rate=0.2)),
)


@dataclass(frozen=True)
class Published:
    """A version, and the directory that its files were published from."""

    version: lmvp.Version
    directory: Path
    accuracy: float


def main() -> None:
    parser = argparse.ArgumentParser(description="The whole product in a minute.")
    parser.add_argument("--exit", action="store_true", help="end after the walk, and stop the server")
    stay = not parser.parse_args().exit
    refuse_where_others_can_reach_it()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    log = settings.LMVP_DATA_DIR / "demo.log"
    host = f"[{settings.HOST}]" if ":" in settings.HOST.strip("[]") else settings.HOST
    try:
        with running_server(host, settings.PORT, log) as server, tempfile.TemporaryDirectory() as scratch:
            password = walk(server, Path(scratch))
            if server.is_ours and not stay:
                print(f"\n{start_again(settings.PORT)}")
            print(what_is_there(settings.LMVP_URL, MODEL, password, settings.LMVP_DATA_DIR))
            if stay and server.is_ours:
                leave_running(server)
            elif not server.is_ours:
                print(f"\nThe server was running already, and goes on: {settings.LMVP_URL}")
    except (lmvp.LMVPError, requests.RequestException) as error:
        sys.exit(f"\n{error}\nThe server's log is in {log}.")
    except KeyboardInterrupt:
        print("\nStopped.")


def refuse_where_others_can_reach_it() -> None:
    """The demo prints a superuser's password: that is for this machine alone."""
    host, url = settings.HOST.strip("[]"), urlsplit(settings.LMVP_URL).hostname
    if host not in LOOPBACK or url not in LOOPBACK:
        sys.exit(
            f"The demo makes users whose password is on the screen, a superuser among them, and HOST={settings.HOST}, "
            f"LMVP_URL={settings.LMVP_URL} would let others sign in.\nRun it on this machine alone: make demo "
            "HOST=127.0.0.1 LMVP_URL=http://localhost:8000. For real use: make serve, make superuser."
        )


def walk(server: Server, scratch: Path) -> str:
    """Go through the whole product, and return the password of the four."""
    step(1, "A server and a team")
    password = make_users()
    tokens = {name: sign_in(server, name, password) for name in ("ada", *ROLES)}
    state = "started" if server.is_ours else "runs already"
    print(f"   LMVP {state} at {settings.LMVP_URL}, its data are in {shown(settings.LMVP_DATA_DIR)}")
    clients = {name: lmvp.Client(server.address, token) for name, token in tokens.items()}
    make_project(clients["ada"])
    add_members(server, tokens["ada"])

    step(2, "Three training runs, each published as a version")
    published = [publish(run, clients[run.by], scratch / f"run-{number}") for number, run in enumerate(RUNS, 1)]

    step(3, "The best one goes to production")
    best = max(published, key=lambda each: each.accuracy)
    promote(clients["ada"], best)
    try_as_viewer(clients["cleo"], published[0])

    step(4, "The history, as lmvp.show_history prints it")
    clients["cleo"].show_history(MODEL)

    step(5, "Production, downloaded again and checked")
    check_download(clients["cleo"], best, scratch / "downloaded")
    return password


# --- 1: who


def make_users() -> str:
    """Make the accounts in a process of Django's, and return their password."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo_team.py"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)["password"]


def sign_in(server: Server, name: str, password: str) -> str:
    """Return an access token of 20 minutes. You would say lmvp.login(email, password), which is kept on disk."""
    answer = requests.post(
        f"{server.address}/auth/login/", json={"email": f"{name}@example.org", "password": password}, timeout=30
    )
    if answer.status_code == 401:
        sys.exit(
            f"The server on port {settings.PORT} does not know the demo's users: it keeps its data elsewhere than in "
            f"{settings.LMVP_DATA_DIR}.\nTake another port: PORT={settings.PORT + 1} make demo"
        )
    answer.raise_for_status()
    return answer.json()["tokens"]["access"]


def make_project(ada: lmvp.Client) -> None:
    """Make the project as ada, who becomes its owner, unless an earlier demo did."""
    if PROJECT not in {project.name for project in ada.projects()}:
        ada.create_project(PROJECT, description="Handwritten digits: the demo's project.")


def add_members(server: Server, token: str) -> None:
    """Let the others in, by the API itself."""
    for name, role in ROLES.items():
        requests.post(
            f"{server.address}/v1/projects/{PROJECT}/members/",
            json={"username": name, "role": role},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        ).raise_for_status()
    print(
        f"   Project {bold(PROJECT)}: ada is its owner, " + ", ".join(f"{name} {role}" for name, role in ROLES.items())
    )


# --- 2: training and publishing


def publish(run: Run, client: lmvp.Client, directory: Path) -> Published:
    """Train, write the version's files, and publish them, unless an earlier demo published this very run."""
    result = train.train(run.settings)
    directory.mkdir()
    train.save_weights(result.weights, directory / "weights.npz")
    (directory / "README.md").write_text(card(run, result), "utf-8")
    metadata = asdict(run.settings) | {"dataset": "UCI digits 8×8", "numpy": np.__version__}
    version = earlier(client, metadata)
    note = "published before, the same again"
    if version is None:
        note = run.message
        version = client.publish(
            MODEL,
            directory,
            message=run.message,
            metadata=metadata,
            metrics={"loss": result.losses, "accuracy": result.accuracy},  # a list becomes a curve, step by step
            progress=False,
        )
    print(f"   v{version.number} by {run.by:4} {curve(result.losses)}  accuracy {result.accuracy:.3f}  {dim(note)}")
    return Published(version, directory, result.accuracy)


def earlier(client: lmvp.Client, metadata: dict[str, object]) -> lmvp.Version | None:
    """Return the version that says the same of its training, if there is one."""
    try:
        history = client.history(MODEL, limit=200)
    except lmvp.errors.NotFound:
        return None
    return next((version for version in history if version.metadata == metadata), None)


def sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def card(run: Run, result: train.Result) -> str:
    """Return the model card: what it is, how it was made, what it may be used for."""
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in asdict(run.settings).items()]
    return "\n".join(
        [
            "# Handwritten digits",
            "",
            f"A network with one hidden layer that reads 8 × 8 pictures of digits. {sentence(run.message)}",
            f"Right on {result.accuracy:.1%} of 450 digits that it did not see in training.",
            "",
            *lines,
            "",
            "`weights.npz` holds `w1`, `b1`, `w2`, `b2`: read it with `numpy.load`, without pickle.",
            "Data: E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0.",
            "",
        ]
    )


# --- 3 to 5: promoting, and getting it back


def promote(ada: lmvp.Client, best: Published) -> None:
    standing = {alias.name: alias.version for alias in ada.aliases(MODEL)}.get("production")
    if standing == best.version.number:
        print(f"   production stands at v{standing} already, the best by accuracy")
        return
    comment = f"Best accuracy so far: {best.accuracy:.3f}"
    ada.set_alias(MODEL, "production", best.version.number, comment=comment)
    print(f"   ada: production → v{best.version.number}  {dim(comment)}")


def try_as_viewer(cleo: lmvp.Client, other: Published) -> None:
    """Show that roles are not just words."""
    try:
        cleo.set_alias(MODEL, "production", other.version.number)
    except lmvp.errors.PermissionDenied as refusal:
        print(f"   cleo: production → v{other.version.number}, refused\n{aside(str(refusal))}")
    else:
        sys.exit("A viewer could move production. This must not be: please report it.")


def check_download(cleo: lmvp.Client, best: Published, path: Path) -> None:
    """Download what production names, compare every byte with what was published, and let it predict."""
    local = cleo.download(MODEL, revision="production", path=path, progress=False)
    for name in ("README.md", "weights.npz"):
        if (local.path / name).read_bytes() != (best.directory / name).read_bytes():
            sys.exit(f"{name} came back with other bytes than were published. This must not be: please report it.")
    digest = hashlib.sha256((local.path / "weights.npz").read_bytes()).hexdigest()
    print(f"   {local.version}: both files are the same, byte for byte  {dim(f'weights.npz sha256 {digest[:12]}…')}")

    *_, images, labels = train.split(*train.load_digits())
    predicted = train.predict(train.load_weights(local.path / "weights.npz"), images)
    before = train.predict(train.load_weights(best.directory / "weights.npz"), images)
    if not np.array_equal(predicted, before):
        sys.exit("The downloaded model predicts otherwise than the trained one. This must not be: please report it.")
    right = np.mean(predicted == labels)
    print(f"   It reads the {len(labels)} test digits as the trained one did, {right:.1%} of them right:\n")
    print(picture(images[:4]))
    print(("   " + "".join(f"{digit:^19}" for digit in predicted[:4])).rstrip())


# --- The end


def start_again(port: int) -> str:
    """Say how to get back the server that stops with the demo."""
    return f"Start it again with: {'' if port == 8000 else f'PORT={port} '}make serve"


def leave_running(server: Server) -> None:
    """Wait for Ctrl-C, with the server's log on the screen: mails are in it until EMAIL_URL is set."""
    print(f"\n{bold('Ctrl-C stops the server')}; make serve starts it again. Its log, mails included:\n", flush=True)
    server.show_log()
    code = server.wait()
    sys.exit(f"The server ended by itself, with code {code}. Its log is in {server.log}.")


if __name__ == "__main__":
    main()
