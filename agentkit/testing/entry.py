"""What pytest loads by itself where agentkit is installed (the entry point `agentkit`).

It names the plugin and is not the plugin: pytest refuses one module under two names, and takes a name it knows in
silence, so that `-p agentkit.testing.plugin` and `pytest_plugins` work beside the entry point as well as without it.
"""

pytest_plugins = ["agentkit.testing.plugin"]
