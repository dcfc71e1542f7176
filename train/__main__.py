"""`python -m train COMMAND`: train, judge, export."""

import sys

from train.cli import main

sys.exit(main())
