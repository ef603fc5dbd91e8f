"""python -m mnistgen is the command line."""

from mnistgen.cli import main

main()
