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
# Options with values that fit, after an argument where there is one.
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
LEFT_OUT = {  # values by command or option
    "dataset": ("10", "100", "1000", "10000", "1000000000000"),  # so many would be written
    "": ("9" * 5000,),  # a name that fits no line
    "out": ("9" * 5000, "-"),  # as above; a picture on standard output, with a line beside it
}


def trial(source: random.Random, place: Path) -> Outcome:
    """One command, with one odd value or a few."""
    name = source.choice(list(COMMANDS))
    words = COMMANDS[name].format(model=model()).split()
    for index in source.sample(range(len(words)), min(len(words), source.choice((1, 1, 2)))):
        option, equals, _ = words[index].rpartition("=")
        left_out = (*LEFT_OUT.get(name, ()), *LEFT_OUT.get(option, ()))
        words[index] = option + equals + source.choice([odd for odd in ODD if odd not in left_out])
    arguments = [name, *(f"--{word}" if "=" in word else word for word in words)]
    encoding = source.choice(("utf-8", "ascii"))
    return Outcome(f"{arguments}, {encoding}", command_problem(command(*arguments, encoding=encoding)))
