"""Record and replay: what the machines of a process were told, kept in memory, saved to a file, run again elsewhere."""
