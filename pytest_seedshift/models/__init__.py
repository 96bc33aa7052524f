"""Text-to-image models: the protocol, the catalogue and the adapters."""

import logging

_SAID_OF_THEMSELVES = {
    "torch.utils._pytree": "register_constant() on Enum",
    "diffusers.quantizers.torchao.torchao_quantizer": "Unable to import `torchao` Tensor objects",
}
"""By logger, how a line begins or what it has in it that libraries say to each other where torchao is installed,
whatever is done with it: on import, before anybody can ask for less."""

for _name, _part in _SAID_OF_THEMSELVES.items():
    logging.getLogger(_name).addFilter(lambda record, part=_part: part not in record.getMessage())  # type: ignore[misc]
