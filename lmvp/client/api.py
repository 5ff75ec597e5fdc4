"""The verbs of LMVP: one `Client`, whose bound methods `import lmvp` offers as functions. The calls stand in `calls/`."""

from __future__ import annotations

from lmvp.client.calls.accounts import Accounts
from lmvp.client.calls.caching import Caching
from lmvp.client.calls.downloading import Downloading
from lmvp.client.calls.metrics import Measuring
from lmvp.client.calls.projects import Projects
from lmvp.client.calls.publishing import Publishing
from lmvp.client.calls.refs import Refs
from lmvp.client.calls.versions import Versions


class Client(Accounts, Projects, Publishing, Downloading, Caching, Versions, Measuring, Refs):
    """One server, as one person or token. Without arguments: LMVP_SERVER, LMVP_TOKEN or the kept sign-in, LMVP_PROJECT.

    Names of models are project/model; the project may be left out where it is clear (see docs/client.md).
    """


default_client = Client()
