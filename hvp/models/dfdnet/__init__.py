"""DFDNet: dynamics disentangled, filtered by frequency: model.py, blocks.py, axis_filter.py."""
