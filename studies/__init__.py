"""Studies that take longer than a lesson: each makes a stored table, ``make study NAME=gan``."""
