"""Formulas with the statistics of a collection, such as CROHME's, out of any real ones.

`Profile.of(training_labels)`, or `builtin_profile()`, says what is wanted; `sample_formulas(pool,
profile, count, seed=0, exclude=test_labels).formulas` is that; `differences` says how near it is.
"""

from im2tex.data.preparation.formula_sampling.builtin import builtin_profile
from im2tex.data.preparation.formula_sampling.divergence import Difference, differences
from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.formula_sampling.sampling import SampledFormulas, sample_formulas

__all__ = [
    "Difference",
    "Profile",
    "SampledFormulas",
    "builtin_profile",
    "differences",
    "sample_formulas",
]
