r"""Label graphs of formulas, as the CROHME 2019 tools compare them, and their rules.

The CoMER repository scores CROHME with three programs in a row: pandoc 2.17.1.1 (texmath 0.12.4)
turns LaTeX into MathML, `process_mml.py` and `mml2lg.pl` turn MathML into a label graph, and lgeval
compares two graphs. The modules here compute what these programs output, slips included.

**What pandoc reads** (`symbol_tree`). The tokens are joined by single spaces.

* A formula is read whole or not at all: an unmatched brace, a script without content, a command
  with too few arguments, an unknown command, a bare `&`, `\\`, `#`, `"` or `$` makes it
  unreadable. A `%` hides the rest.
* `x _ 1 ^ 2` and `x ^ 2 _ 1` are one base with two scripts. Otherwise a script takes all that
  follows it with its own scripts: `x ^ 2 ^ 3` is `x ^ { 2 ^ 3 }`. A script with nothing before it
  gets an empty base.
* `( )`, `[ ]` and `| |` are groups where the closing delimiter is found among the symbols that
  follow, on the same level; otherwise each is a symbol of its own. `\left` may lack its `\right`.
* A number is a run of digits without spaces, with a decimal point if digits follow: `12`, `1.5`,
  `.5`. Primes without spaces are one symbol, `''`.
* An argument without braces is one character or one symbol, and never a construct: in
  `\sqrt \frac 1 2` the root is a bare sign before a fraction, and so it is at the end of a group.
* `\limits` puts scripts above and below, and so does a brace; otherwise the scripts of `\sum` and
  `\lim` are at the corner. `\displaystyle` and its kin may stand once before an expression.
* A matrix column specification must be without spaces: `{cc}`, not `{ c c }`. A `\hline` is skipped
  where an expression stands beside it. Only `array` and `eqnarray` take the extra height of
  `\\ [2pt]` behind a space.
* Macro definitions, `siunitx`, `\genfrac`, `\hyperref` and math inside `\text`, which pandoc knows,
  are unreadable here.

**Symbols and relations** (`layout_tree`).

* The symbols of a line hang on each other by `Right`. `Sub`, `Sup`, `Above` and `Below` lead to
  the first symbol of a script or limit, from the last symbol of its base: from `)` in `( a ) ^ 2`.
* `\frac` is a symbol `-`, `Above` it the numerator, `Below` it the denominator. `\binom` is the
  same between parentheses. A root is a symbol `\sqrt`, `Inside` it the body, `Above` it the index.
  From a root without index a second edge `Inside` leads to the second symbol of the body's own
  line, which still hangs on the first by `Right`.
* An accent is a symbol `Above` (or `Below`) the last symbol of what it stands on.
* Spaces, braces and sizes make no symbol. A script without base makes a symbol with an empty label.
* An empty group, `{ }`, is nothing, but as the last of a line it is what a script of that line
  stands on. Such a script, having no symbol to hang on, is a root of its own, at the position of
  the formula's first symbol; so is what follows a script on nothing.
* A matrix is a symbol `*M`, and symbols `*R`, `*Cell`, `*C` stand for its rows, cells and columns:
  `Nrow`, `NcellR`, `NcellC` and `Ncol` lead to the next one. Nothing leads into a cell, so that
  the contents of every cell are roots at that same position.
* What is in a font or size of its own is dropped with all its contents: `\mathrm`, `\mathbf`,
  `\text`, `\dfrac`, `\boxed`, `\phantom`. A script on it stands on the next symbol of its
  construct.
* Labels are LaTeX names for about forty symbols and the Unicode character for all others; `,` is
  `COMMA`. `\gamma` and `\Gamma` are both `\gamma`. Minus and fraction bar are both `-`.
* A formula that is a single dropped construct, or has a symbol of Latin-1 beyond ASCII (the
  bar of `\overline`, `\neg`, `\cdotp`), crashes the CROHME tools and has no tree.

**Comparison** (`label_graph`). lgeval identifies a symbol by its position alone: the path of
relations from the first symbol of the formula. Symbols are compared position by position without
alignment, so a missing symbol moves all that follows on its line, with its scripts.

* A position whose labels differ, or that only one graph has, is one node error. A pair of positions
  that only one graph relates, or that they relate differently, is one edge error. The sum of both
  is the number of label errors. A wrong symbol is 1 error, a missing last one 2, a script on the
  other corner 4.
* Several symbols can be at one position, where a script has nothing to stand on and in matrices.
  Their labels are a set then, and sets agree that have one label in common: the wrong entry of a
  matrix costs nothing. The same holds of relations.
* The structure is right where both graphs have the same positions and related pairs.
* A prediction without graph is compared as an empty graph: it has as many errors as the reference
  has symbols and edges, 1 for a single symbol, 3 for two.
* A reference without graph is not compared: no rate counts it.

**Strict rules** (`strict=True`, this package's own). Spaces in column specifications and the sizes
`\Bigl` and `\bigm` are read. Contents of fonts, text and boxes count, those of a visible font
(bold, blackboard, script, fraktur, sans, typewriter) with the font in their labels; each cell hangs
on its matrix by its row and column and holds its contents `Inside`; `\gamma` differs from `\Gamma`;
nothing crashes. The labels at one position must all agree, each missing, wrong or surplus label is
an error, and a formula without graph on either side is wrong whatever is allowed.
"""
