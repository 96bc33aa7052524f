from hypothesis import settings

settings.register_profile("seedshift", deadline=None, derandomize=True, database=None, max_examples=25)
settings.load_profile("seedshift")
