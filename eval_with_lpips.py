"""Evaluates an experiment: `python eval_with_lpips.py --logdir ./logs/kth/model`."""

import sys

from hvp.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
