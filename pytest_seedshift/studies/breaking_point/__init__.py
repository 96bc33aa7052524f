"""Breaking points: the smallest magnitude of a shift at which a model's constraints fail, searched instead of scanned.

`core.searches` says what is searched, `bisection` where the search looks next (pure numbers), `search` looks there,
`records` and `messages` report it. `core.breaking_bounds` and `plugin.breaking_session` say what is requested;
`plugin.breaking_collection` and `plugin.breaking_hooks` make pytest's items of it.
"""
