"""``python -m stackcook``."""

from stackcook.cli.main import main

if __name__ == "__main__":
    main()
