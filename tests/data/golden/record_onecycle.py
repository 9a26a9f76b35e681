"""Records what PyTorch's OneCycleLR does to Adam, into onecycle.json beside this file.

    python3 -m venv torch && torch/bin/pip install torch==2.13.0 numpy
    torch/bin/python tests/data/golden/record_onecycle.py

`rates` and `beta_1` hold the learning rate and Adam's first momentum at every update of a run,
`parameter` the values of one parameter after every update by `gradients`.
"""

import json
import math
from pathlib import Path

import torch


def record(total_steps: int, highest: float) -> dict:
    """One run of `total_steps` updates of a parameter that starts at 0.5, in float64."""
    parameter = torch.nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
    optimizer = torch.optim.Adam([parameter], lr=highest)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=highest, total_steps=total_steps
    )
    run = {"total_steps": total_steps, "highest": highest, "start": 0.5, "epsilon": 1e-8}
    run |= {"rates": [], "beta_1": [], "gradients": [], "parameter": []}
    for step in range(total_steps):
        group = optimizer.param_groups[0]
        gradient = round(math.cos(1.7 * step) + 0.3, 6)
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        run["rates"].append(float(group["lr"]))
        run["beta_1"].append(float(group["betas"][0]))
        optimizer.step()
        run["gradients"].append(gradient)
        run["parameter"].append(parameter.item())
        if step + 1 < total_steps:
            schedule.step()
    return run


if __name__ == "__main__":
    runs = [record(100, 1.0), record(37, 0.01), record(10, 0.001)]
    content = {"torch": torch.__version__, "runs": runs}
    (Path(__file__).parent / "onecycle.json").write_text(json.dumps(content, indent=1) + "\n")
