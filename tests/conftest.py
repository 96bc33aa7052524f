import os

from hypothesis import settings

settings.register_profile("seedshift", deadline=None, derandomize=True, database=None, max_examples=25)
settings.load_profile("seedshift")

for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
    os.environ.pop(name, None)  # runs inside of tests have nothing to say on the page of a CI that runs these tests
