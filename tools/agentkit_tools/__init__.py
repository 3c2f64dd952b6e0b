"""Ready-made tools for agents. Each module makes tools of one kind; they use the public face of `agentkit` alone.

- `agentkit_tools.files`: list, read, search and write the files of one folder.
- `agentkit_tools.shell`: run programs from a list, without a shell.
- `agentkit_tools.python`: run Python code in a process that the kernel confines.
- `agentkit_tools.web`: fetch a page of the public web as text.
- `agentkit_tools.sql`: read a SQLite database, and change it where that is wanted.
- `agentkit_tools.calculator`: calculate, exactly where that can be.
- `agentkit_tools.clock`: tell the time, and convert it between zones.

They are built for a model that cannot be trusted, since what it reads may have put it up to something: limits are bound
when a tool is made, and no argument of a call can widen them. Each module says what it does not protect from.
"""
