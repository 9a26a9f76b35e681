"""What a run is on disk: its folder and its checkpoints."""
