"""Why a model holds: its sampler, clipping and schedule crossed, each arm judged on the same pairs.

`conditions` says which models are compared, `effects` what their scores say (pure numbers), `experiment` runs them,
`document` is for programs; `reporting.why` and `reporting.page.why` say and draw it. The command is `cli.why`.
"""
