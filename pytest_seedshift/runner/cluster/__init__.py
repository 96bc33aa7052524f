"""Images made by the GPUs of a Ray cluster, or by several processes of this machine. All that imports ray is here.

The pytest process does not: it talks with a process of its own, the broker, which is Ray's driver. So what Ray prints,
the signals that it takes over, and its way of ending a process that has lost its cluster stay away from the tests.
"""
