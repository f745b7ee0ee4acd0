"""Graph networks over a dense adjacency matrix: nodes `[N, V, features]`, edges `[N, V, V]`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GraphConvolutions(nn.Module):
    """Neighbours' means through linear layers, then a sum over the nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.own = nn.Linear(6, 12), nn.Linear(12, 10), nn.Linear(12, 10, bias=False)
        self.head = nn.Linear(10, 3)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        edges = torch.sigmoid(edges)
        mean = edges / edges.sum(-1, keepdim=True)
        x = F.relu(torch.bmm(mean, self.first(nodes)))
        x = F.relu(torch.matmul(mean, self.second(x)) + self.own(x))
        return self.head(x.sum(dim=1))


class GraphAttention(nn.Module):
    """Attention over neighbours: scores of pairs from two learnt vectors, masked where no edge is."""

    def __init__(self) -> None:
        super().__init__()
        self.transform = nn.Linear(6, 8, bias=False)
        self.source, self.target = nn.Linear(8, 1, bias=False), nn.Linear(8, 1, bias=False)
        self.head = nn.Linear(8, 3)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        x = self.transform(nodes)
        scores = F.leaky_relu(self.source(x) + self.target(x).transpose(1, 2), 0.2)
        scores = torch.where(edges > 0, scores, torch.full_like(scores, -1e4))
        x = F.elu(torch.softmax(scores, dim=-1) @ x)
        return self.head(x)
