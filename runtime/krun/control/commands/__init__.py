"""Commands of ``krunctl`` that show more than one answer as it came: one module each, with ``add`` for the command line and ``run``."""
