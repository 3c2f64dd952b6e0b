"""Ready-made tools for agents. Each module makes tools of one kind; they use the public face of `agentkit` alone.

- `agentkit_tools.files`: list, read, search and write the files of one folder.
"""
