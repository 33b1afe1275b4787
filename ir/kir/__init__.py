"""The intermediate representation between the compiler (kcc) and the runtime (krun): model, codec, diff and plan."""

from kir.release import __version__

__all__ = ["__version__"]
