"""From a difference to steps: desired tables, operations in a safe order, and what each does to traffic."""
