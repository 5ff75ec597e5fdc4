"""Signing in from the command line: by password or access token, on several servers."""

import io
import json

import pytest

from lmvp.client import cli, errors
from lmvp.client.api import Client
from lmvp.client.credentials import CredentialFile
from tests.cast import PASSWORD
from tests.client_home import client_with_token

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def token(live_server, cast) -> str:
    return str(client_with_token(live_server.url, cast.alice)._session._token)


def test_an_access_token_is_kept_as_a_sign_in(live_server, token, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    assert cli.main(["login", "--server", live_server.url, "--token-stdin"]) == 0
    assert capsys.readouterr().out == f"Signed in at {live_server.url} as alice.\n"
    assert CredentialFile().path.stat().st_mode & 0o777 == 0o600
    assert cli.main(["whoami"]) == 0
    assert cli.main(["logout"]) == 0
    assert Client(live_server.url, token=token).whoami().username == "alice"  # forgotten here, and not revoked
    with pytest.raises(errors.AuthenticationError):
        Client(live_server.url).whoami()


def test_a_wrong_token_is_not_kept(live_server, cast):
    with pytest.raises(errors.AuthenticationError):
        Client().login(token="lmvp_wrong", server=live_server.url)
    assert CredentialFile().servers() == {}


def test_the_browser_opens_the_page_of_tokens(live_server, token, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda page: opened.append(page) or True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: token)
    assert cli.main(["login", "--server", live_server.url, "--browser"]) == 0
    assert opened == [f"{live_server.url}/account/tokens/"]
    assert opened[0] in capsys.readouterr().err


def test_several_servers_are_listed_and_one_is_preferred(live_server, cast, token, capsys):
    other = live_server.url.replace("localhost", "127.0.0.1")
    Client().login(cast.bob.email, PASSWORD, server=live_server.url)
    Client().login(token=token, server=other)
    assert Client().server == other
    assert cli.main(["servers", "--use", live_server.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"server": other, "username": "alice", "preferred": False},
        {"server": live_server.url, "username": "bob", "preferred": True},
    ]
    assert Client().whoami().username == "bob"
    assert cli.main(["--at", other, "whoami"]) == 0
    assert "alice" in capsys.readouterr().out
    assert cli.main(["servers", "--use", "https://elsewhere.example"]) == 1
    assert "not signed in at https://elsewhere.example" in capsys.readouterr().err


def test_what_is_left_out_is_asked_for(live_server, cast, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: cast.alice.email)
    monkeypatch.setattr("getpass.getpass", lambda prompt: PASSWORD)
    assert Client(live_server.url).login() == "alice"
