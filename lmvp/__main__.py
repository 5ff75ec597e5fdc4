"""`python -m lmvp`: the command line."""

import sys

from lmvp.client.cli import main

sys.exit(main())
