"""What holds for all tests: properties are tried on the same examples in every run.

`HYPOTHESIS_PROFILE=default` draws new examples instead, to look for what the fixed ones don't show.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
