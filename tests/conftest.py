"""Settings for every test."""

from hypothesis import settings

# The same examples in every run, and no time limit: a slow machine must not fail a test.
settings.register_profile("convlab", max_examples=100, deadline=None, derandomize=True)
settings.load_profile("convlab")
