"""Why a model holds: its sampler, clipping and schedule crossed, each arm judged on the same pairs.

`arms` says which models are compared, `effects` what their scores say (pure numbers), `report` what is printed, drawn
and said. The command is `commands.why`.
"""
