r"""Files that papers read and do not bring along, as far as formulas begin by them.

Papers of high-energy physics, which IM2LATEX-100K was cut from, are often written for `harvmac`:
its displays are `\eqn\name{…}`.
"""

from __future__ import annotations

LIBRARY = {"harvmac.tex": rb"\def\eqn#1#2{$$#2$$}\def\eqnn#1{}\def\eqna#1{}"}
"""Stand-ins by name; a paper's own file of that name goes before."""
