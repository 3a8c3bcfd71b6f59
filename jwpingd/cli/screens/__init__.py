"""The answers of a running daemon, in the forms that people and programs read."""
