"""`python -m cantilena`."""

from cantilena.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
