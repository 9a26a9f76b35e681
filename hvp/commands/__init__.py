"""The command lines, one file a command; `hvp.__main__` is the table of them."""
