"""GLIDE (Nichol et al., arXiv 2112.10741), which diffusers does not have: a pipeline of its parts.

Nothing is imported here: finding the released files, as collecting tests does, needs no torch.
"""
