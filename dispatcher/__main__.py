"""``python -m dispatcher`` is the same as ``dispatcher``."""

from dispatcher.cli import main

if __name__ == "__main__":
    main()
