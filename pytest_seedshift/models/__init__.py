"""Text-to-image models: the protocol, the catalogue and the adapters."""
