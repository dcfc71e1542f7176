"""`python -m streamtag` is the command `streamtag`."""

import sys

from streamtag.cli import main

sys.exit(main())
