"""Wire formats: how a request is written, and how its reply is read."""
