"""`hvp launch slurm`: a batch file that trains on many machines, and queues itself again."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys

from hvp.commands import train
from hvp.commands.options import COUNT, read_configuration
from hvp.commands.parser import Parser, choice
from hvp.errors import UserError

HELP = (
    "Prints a batch file for SLURM that trains on NODES machines, one process each; it queues "
    "itself again when it is stopped before the end, and goes on from there. "
    "Example: hvp launch slurm --nodes 4 --gpus 8 -- train --config kth"
)
GRACE = 120  # seconds before the time limit at which SLURM sends SIGTERM

# 143 is our exit code after SIGTERM, 75 where another worker is gone. `srun` returns the highest
# code of all workers, so a worker that failed for a reason of its own is not started for ever.
BATCH = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
{resources}#SBATCH --output={name}-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=TERM@{grace}

# The workers end together by themselves: none is killed because another one ended first.
srun --kill-on-bad-exit=0 --wait={grace} \\
    {command}
code=$?
if [ $code = 143 ] || [ $code = 75 ]; then
    # Stopped before its end; a job that was cancelled is RUNNING no more.
    if [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
        scontrol requeue "$SLURM_JOB_ID"
    fi
fi
exit $code
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("scheduler", type=choice(["slurm"]), metavar="SCHEDULER", help="slurm")
    add("--nodes", type=COUNT, required=True, metavar="N", help="machines, one worker on each")
    add("--gpus", type=COUNT, metavar="N", help="of each machine, all for its worker (none)")
    add("--cpus", type=COUNT, metavar="N", help="cores of each machine (SLURM's default)")
    add("--time", metavar="D-HH:MM:SS", help="limit of one session; the job goes on after it")
    add(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="another option of sbatch, such as --sbatch=--partition=gpu; may be repeated",
    )
    add("--submit", action="store_true", help="hand it to sbatch instead of printing it")
    add(
        "train",
        nargs=argparse.PARSER,  # at least one word, and all after it as they are
        metavar="-- train ...",
        help="the command as on one machine, without --workers",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints or submits the batch file."""
    text = batch_file(arguments)
    if not arguments.submit:
        print(text, end="")
        return
    try:
        done = subprocess.run(["sbatch"], input=text, text=True, capture_output=True)
    except FileNotFoundError:
        raise UserError("--submit: there is no sbatch here; run this where SLURM is") from None
    if done.returncode:
        raise UserError(f"--submit: sbatch refused: {done.stderr or done.stdout}")
    print(done.stdout, end="")


def batch_file(arguments: argparse.Namespace) -> str:
    """The batch file; mistakes in the training command and its configuration show here."""
    words = [word for word in arguments.train if word != "--"]
    if not words or words[0] != "train":
        raise UserError("after -- comes the training command: -- train --config NAME ...")
    parser = Parser(prog="hvp train")
    train.add_arguments(parser)
    training = parser.parse_args(words[1:])
    if training.workers is not None or training.worker is not None:
        raise UserError("--workers and --worker: leave them out; SLURM says which machines it took")
    several = arguments.nodes > 1
    if several and training.strategy not in (None, "multiworker"):
        raise UserError(f"--strategy {training.strategy} is for one machine; leave it out")
    name = read_configuration(training).name
    if several and training.strategy is None:
        words += ["--strategy", "multiworker"]
    options = {"gpus-per-node": arguments.gpus, "cpus-per-task": arguments.cpus}
    lines = [f"--{key}={value}" for key, value in options.items() if value is not None]
    lines += [f"--time={arguments.time}"] if arguments.time else []
    return BATCH.format(
        name=_directive(name),
        nodes=arguments.nodes,
        resources="".join(f"#SBATCH {_directive(line)}\n" for line in lines + arguments.sbatch),
        grace=GRACE,
        command=shlex.join([sys.executable, "-m", "hvp", *words]),
    )


def _directive(text: str) -> str:
    """`text` in a line for sbatch, which ends at a blank unless it is quoted."""
    if "\n" in text or '"' in text:
        raise UserError(f"{text!r} cannot stand in a batch file's #SBATCH line")
    return f'"{text}"' if " " in text else text
