"""What holds for every test: no key of the developer reaches one, and hypothesis repeats itself where CI runs it."""

import os

from hypothesis import settings

for name in list(os.environ):
    if name.startswith("AGENTKIT_") or name.endswith("_API_KEY") or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ.pop("OPENAI_BASE_URL", None)

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")
