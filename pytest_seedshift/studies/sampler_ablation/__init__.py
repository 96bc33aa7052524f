"""Why a model holds: its sampler, clipping and schedule crossed, each arm judged on the same pairs.

`arms` says which models are compared, `effects` what their scores say (pure numbers), `experiment` runs them,
`document` is for programs; `report.why` and `report.page.why` say and draw it. The command is `cli.why`.
"""
