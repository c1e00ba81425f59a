"""`python -m ttrl` is the `ttrl` command."""

import sys

from ttrl.cli.main import main

sys.exit(main())
