"""`python -m seqwise`: the command line without the script, and what torchrun starts."""

import sys

from seqwise.cli import main

if __name__ == "__main__":
    sys.exit(main())
