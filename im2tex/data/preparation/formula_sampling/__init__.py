"""Samples formulas with the statistics of a collection, such as CROHME's labels.

Example::

    profile = Profile.of(training_labels)  # or builtin_profile()
    formulas = sample_formulas(pool, profile, 1000, seed=0, exclude=test_labels).formulas
"""

from im2tex.data.preparation.formula_sampling.builtin import builtin_profile
from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.formula_sampling.sampling import SampledFormulas, sample_formulas

__all__ = ["Profile", "SampledFormulas", "builtin_profile", "sample_formulas"]
