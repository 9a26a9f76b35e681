"""Trains an experiment: `python train.py --config configs/kth.yml`."""

import sys

from hvp.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
