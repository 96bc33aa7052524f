"""Why a model holds: its sampler, clipping, schedule, guidance and steps crossed, each arm judged on the same pairs.

`traits` says what a model's entry and files say, `differences` what differs and of what an effect can be the effect,
`conditions` which models are compared, `design` all of that for the models of a session, `effects`, `interactions` and
`marginals` what their scores say (pure numbers), `experiment` runs them, `plan` says what that takes, `document` is for
programs; `reporting.why*` and `reporting.page.why*` say and draw it. The command is `cli.why`.
"""
