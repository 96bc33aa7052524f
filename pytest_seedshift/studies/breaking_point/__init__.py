"""Breaking points: the smallest magnitude of a shift at which a model's constraints fail, searched instead of scanned.

`searches` says what is searched, `seek` where the search looks next (pure numbers), `trial` looks there, `bounds` and
`session` say what is asked, `collection` and `hooks` make items of pytest of it, `records` and `words` tell of it.
"""
