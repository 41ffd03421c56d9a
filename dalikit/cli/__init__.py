"""The command line: one file for each group of commands; each imports what it needs inside the command."""
