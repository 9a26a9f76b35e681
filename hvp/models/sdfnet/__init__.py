"""SDFNet: spatial frequencies through involutions of different reach. Read `model.py`."""
