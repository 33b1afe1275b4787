"""One renderer a format; all of them get the same diagnostics."""
