"""The one place where the release number of the distribution stands."""

__version__ = "0.1.0"
