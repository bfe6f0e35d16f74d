"""Formulas with the statistics of a collection, such as CROHME's, out of any real ones.

`Profile.of(training_labels)`, or `builtin_profile()`, says what is wanted; `sample_formulas(pool,
profile, count, seed=0, exclude=test_labels).formulas` is that; `differences` says how near it is.
"""

from im2tex.data.formulas.builtin import builtin_profile
from im2tex.data.formulas.comparison import Difference, differences
from im2tex.data.formulas.profile import Profile
from im2tex.data.formulas.sampling import Sampled, sample_formulas

__all__ = [
    "Difference",
    "Profile",
    "Sampled",
    "builtin_profile",
    "differences",
    "sample_formulas",
]
