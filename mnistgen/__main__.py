"""The entry point of the command line, `mnistgen` and `python -m mnistgen`."""

import sys

from mnistgen._interruption import Interrupted, exit_code, handle_signals


def main() -> None:
    """Run the command line. Signals are handled from here on, also while libraries are imported."""
    handle_signals()
    try:
        from mnistgen._cli import main as run

        run()
    except (Interrupted, ImportError):
        if not exit_code():
            raise
        print("mnistgen: interrupted", file=sys.stderr)
        sys.exit(exit_code())


if __name__ == "__main__":
    main()
