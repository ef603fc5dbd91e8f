"""Commands with options of any value."""

import random
from collections.abc import Mapping
from pathlib import Path

from tests.faults.sets import model
from tests.faults.trials import Outcome, command, command_problem

ODD = (
    *("", " ", "0", "-1", "1", "3", "10", "100", "1000", "10000", "1000000000000", "9" * 30, "9" * 5000, "1.5"),
    *("nan", "inf", "1e400", "x", "None", "0-9", "3,5", "0-99999999999", "9-0", "3,", ",", "-", "--", "\u0661"),
    *("1_0", "0x1", "é", "\udcff", "a\nb", "\x1b[31m", "'", ".", "..", "/", "nosuch/x.png", "x" * 300 + ".png"),
    *("a.png", "a.gif", "a.webp", "a.apng", "a.npz", "a.PNG", "a.jpg", "nul", "s3://", "reference://", "hf://"),
    *("memory://", "cpu", "cuda", "auto", "digits", "mlp", "idx", "parquet", "mnist", "local"),
)
# The positional argument, if any, and options with valid values.
COMMANDS: Mapping[str, str] = {
    "sample": "out=a.png n=4 digit=3 truncation=1 seed=1 start=0 columns=2 scale=1 threads=1 device=cpu model={model}",
    "write": "2026 out=a.png truncation=1 seed=1 scale=1 threads=1 device=cpu model={model}",
    "interpolate": "out=a.gif from=3 to=8 frames=3 fps=20 seed=1 scale=1 threads=1 device=cpu model={model}",
    "walk": "out=a.png corners=3,5,8,9 rows=2 columns=2 seed=1 scale=1 threads=1 device=cpu model={model}",
    "dataset": "out=data n=6 test=2 format=idx digits=0-9 balance=uniform seed=1 start=0 shard-size=5 workers=1 "
    "model={model}",
    "info": "digits",
    "reproduce": "a.png out=b.png threads=1 model={model}",
}
OMITTED = {  # values to omit, by command or option; "" is the positional argument
    "dataset": ("10", "100", "1000", "10000", "1000000000000"),  # would write as many digits
    "": ("9" * 5000,),  # a name that is too long for a one-line message
    "out": ("9" * 5000, "-"),  # as above; writes a picture to standard output
}


def trial(source: random.Random, workdir: Path) -> Outcome:
    """A command with one or a few invalid values."""
    name = source.choice(list(COMMANDS))
    words = COMMANDS[name].format(model=model()).split()
    for index in source.sample(range(len(words)), min(len(words), source.choice((1, 1, 2)))):
        option, equals, _ = words[index].rpartition("=")
        omitted = (*OMITTED.get(name, ()), *OMITTED.get(option, ()))
        words[index] = option + equals + source.choice([odd for odd in ODD if odd not in omitted])
    arguments = [name, *(f"--{word}" if "=" in word else word for word in words)]
    encoding = source.choice(("utf-8", "ascii"))
    return Outcome(f"{arguments}, {encoding}", command_problem(command(*arguments, encoding=encoding)))
