"""`python -m bundlewatch`."""

from bundlewatch.cli import main

if __name__ == "__main__":
    main()
