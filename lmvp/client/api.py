"""The verbs of LMVP: one `Client`, whose bound methods `import lmvp` offers as functions. The calls stand in `calls/`."""

from __future__ import annotations

from lmvp.client.calls.accounts import Accounts
from lmvp.client.calls.artifacts import Artifacts
from lmvp.client.calls.caching import Caching
from lmvp.client.calls.comparing import Comparing
from lmvp.client.calls.files import Files
from lmvp.client.calls.members import Members
from lmvp.client.calls.merging import Merging
from lmvp.client.calls.metrics import Measuring
from lmvp.client.calls.models import Models
from lmvp.client.calls.projects import Projects
from lmvp.client.calls.publishing import Publishing
from lmvp.client.calls.refs import Refs
from lmvp.client.calls.running import Running
from lmvp.client.calls.searching import Searching
from lmvp.client.calls.syncing import Syncing
from lmvp.client.calls.tokens import Tokens
from lmvp.client.calls.versions import Versions


class Client(
    Accounts,
    Artifacts,
    Caching,
    Comparing,
    Files,
    Members,
    Merging,
    Models,
    Projects,
    Running,
    Publishing,
    Refs,
    Searching,
    Syncing,
    Tokens,
    Versions,
    Measuring,
):
    """One server, as one person or token. Without arguments: LMVP_SERVER, LMVP_TOKEN or the kept sign-in, LMVP_PROJECT.

    Names of models are project/model; the project may be left out where it is clear (see docs/client.md).
    """


default_client = Client()
