"""`python -m jwpingd` is the command `jwpingd`."""

import sys

from jwpingd.cli import main

if __name__ == "__main__":
    sys.exit(main())
