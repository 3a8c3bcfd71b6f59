"""The command `jwpingd`, which `python -m jwpingd` is too."""

import os
import sys

try:
    from jwpingd import interrupt

    interrupt.end_quietly()
    from jwpingd.cli import main
except KeyboardInterrupt:  # Before it could be told how to end.
    os._exit(130)

if __name__ == "__main__":
    sys.exit(main())
