"""How fast an experiment trains, predicts and reads its data on this machine: `hvp bench`."""

KINDS = ("train", "rollout", "input")
