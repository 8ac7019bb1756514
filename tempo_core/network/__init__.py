"""Networks written once, for two back ends: NumPy where they are used, torch where they learn.

A network is a table of layers by name, which says what weights there are, and a pure function that
runs an input through them with the operations of `ops.Ops`. `numpy_ops` carries them out here,
`trainer.torch_ops` where gradients are needed. Nothing in this package knows about music.
"""

from .layers import Conv, Layer, Linear, Norm, shapes
from .numpy_ops import Network
from .ops import Definition, Ops

__all__ = ["Conv", "Definition", "Layer", "Linear", "Network", "Norm", "Ops", "shapes"]
