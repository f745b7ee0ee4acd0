"""Settings of all tests of methods."""

import torch

torch.set_num_threads(1)
