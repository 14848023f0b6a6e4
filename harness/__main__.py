"""``python -m harness``, which is what launchers of several processes start."""

from harness.cli import main

if __name__ == "__main__":
    main()
