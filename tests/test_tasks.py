"""Work that outlives a request: by a thread of the server, or by a worker from the database."""

import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest
from django.test import Client
from django.urls import reverse

from tests.cast import make_user
from tests.http_client import Person
from tests.servers import ROOT, empty_database, running_server, wait_until

SOMEBODY = {"email": "eve@example.org", "username": "eve", "password": "correct horse battery"}
REPORTS = """
import json
import os
from django_tasks_db.models import DBTaskResult
print("reports:", json.dumps([[one.task_path, one.status, one.return_value] for one in DBTaskResult.objects.order_by("enqueued_at")]))
"""
ASK = """
from django.test import Client
from django.urls import reverse
from accounts.models import User
root = User.objects.create_superuser("root@example.org", "rooty", "x")
client = Client(SERVER_NAME="localhost")
client.force_login(root)
for work in ("collect", "verify"):
    print(client.post(reverse("admin:registry_housekeeping"), {"work": work}).status_code)
print("A worker collects" in client.get(reverse("admin:registry_housekeeping")).content.decode())
"""


def manage(env, *command, code=None):

    more = {name: str(value) for name, value in env.items()}
    done = subprocess.run(
        [sys.executable, "manage.py", *command, *(["--command", code] if code else [])],
        cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_worker_mails_and_keeps_house(tmp_path):
    mails = tmp_path / "mails"
    with empty_database() as database:
        env = {
            "LMVP_DATA_DIR": tmp_path / "var",
            "LMVP_TASKS": "database",
            "EMAIL_URL": f"filemail:///{mails}",
            **database,
        }
        with running_server(tmp_path, **env) as server:
            status, _ = Person(server, "").call("POST", "/auth/register/", SOMEBODY, Authorization="")
            assert status == 201
            assert not mails.exists()  # it waits in the database: a crash now loses nothing
            assert manage(env, "shell", code=ASK).splitlines()[-3:] == ["302", "302", "True"]
            manage(env, "db_worker", "--batch")
        reports = json.loads(manage(env, "shell", code=REPORTS).partition("reports:")[2])
        assert [(path.rpartition(".")[2], status) for path, status, _ in reports] == [
            ("deliver", "SUCCESSFUL"),
            ("collect_garbage", "SUCCESSFUL"),
            ("verify_blobs", "SUCCESSFUL"),
        ]
        assert all(isinstance(line, str) for _, _, report in reports[1:] for line in report)
        [mail] = mails.iterdir()
        assert re.search(r"^To: eve@example.org$", mail.read_text(), re.MULTILINE)


def test_an_answer_does_not_wait_for_the_mail_server(tmp_path):
    said = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as slow, empty_database() as database:

        def greet():
            connection, _ = slow.accept()
            said.set()
            connection.recv(1)  # the client speaks after our greeting, which never comes
            connection.close()

        threading.Thread(target=greet, daemon=True).start()
        env = {"LMVP_DATA_DIR": tmp_path / "var", "EMAIL_URL": f"smtp://127.0.0.1:{slow.getsockname()[1]}", **database}
        with running_server(tmp_path, **env) as server:
            status, _ = Person(server, "").call("POST", "/auth/register/", SOMEBODY, Authorization="")
            assert status == 201
            wait_until(said.is_set)


@pytest.mark.parametrize("work", ["collect", "verify"])
def test_without_a_worker_the_admin_does_it_at_once(db, work):

    root = make_user("rooty")
    root.is_staff = root.is_superuser = True
    root.save()
    client = Client()
    client.force_login(root)
    answer = client.post(reverse("admin:registry_housekeeping"), {"work": work}, follow=True)
    assert [str(message) for message in answer.context["messages"]]
