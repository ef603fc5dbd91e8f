"""The entry point of the command line, `mnistgen` and `python -m mnistgen`."""

import gc
import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it in one line, also while libraries are imported."""
    gc.set_threshold(100_000)  # imports create many objects and free none: looking for garbage costs 40 ms
    try:
        from mnistgen.cli import main as run

        run()
    except KeyboardInterrupt:
        print("mnistgen: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
