"""DFDNet: dynamics disentangled and filtered by frequency: `model.py`, `blocks.py`, `axis_filter.py`."""
