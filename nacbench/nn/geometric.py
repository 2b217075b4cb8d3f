"""torch-geometric's layers, imported without its warnings."""

import warnings
from typing import Any

from torch import nn

with warnings.catch_warnings():  # torch-geometric 2.8.1 calls it on import
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    from torch_geometric.nn import MLP
    from torch_geometric.nn import EdgeConv as EdgeConv  # "as": others import it from here
    from torch_geometric.nn import PointNetConv as PointNetConv
    from torch_geometric.nn import PointTransformerConv as PointTransformerConv
    from torch_geometric.nn.aggr import MaxAggregation as MaxAggregation


def mlp(*widths: int, plain_last: bool = True) -> nn.Module:
    """Return linear layers with layer norm and GELU between them; without ``plain_last`` also after the last.

    Every row is normalised by itself (mode "node"): by default torch-geometric's layer norm normalises over all rows
    together, so that a row would depend on all others of the batch.
    """
    options: dict[str, Any] = {"norm": "layer_norm", "norm_kwargs": {"mode": "node"}, "plain_last": plain_last}
    net: nn.Module = MLP(list(widths), act="gelu", **options)
    return net
