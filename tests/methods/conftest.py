"""Settings of all tests of methods."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("methods", deadline=None)
settings.load_profile("methods")
