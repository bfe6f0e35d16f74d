# ruff: noqa: RUF001, RUF002
"""Which LaTeX command draws a character beyond ASCII.

Characters that Unicode itself explains (x², ½, 𝑥, ｘ, é) are not here: `im2tex.latex.characters`
takes them apart. Every command is one that `im2tex.render` draws.
"""

from __future__ import annotations

_COMMANDS = """
£ pounds ¥ yen § S © copyright ¬ neg ® circledR ± pm µ mu ¶ P · cdot × times ð eth ÷ div ħ hbar
ı imath ȷ jmath Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega
α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu
ξ xi π pi ρ rho ς varsigma σ sigma τ tau υ upsilon φ varphi χ chi ψ psi ω omega ϑ vartheta ϕ phi
ϖ varpi ϝ digamma ϰ varkappa ϱ varrho ϵ epsilon ϶ backepsilon ‖ Vert † dagger ‡ ddagger • bullet
… ldots ℏ hbar ℑ Im ℓ ell ℘ wp ℜ Re ℧ mho Ⅎ Finv ℵ aleph ℶ beth ℷ gimel ℸ daleth ⅁ Game
← leftarrow ↑ uparrow → rightarrow ↓ downarrow ↔ leftrightarrow ↕ updownarrow ↖ nwarrow ↗ nearrow
↘ searrow ↙ swarrow ↚ nleftarrow ↛ nrightarrow ↞ twoheadleftarrow ↠ twoheadrightarrow
↢ leftarrowtail ↣ rightarrowtail ↦ mapsto ↩ hookleftarrow ↪ hookrightarrow ↫ looparrowleft
↬ looparrowright ↭ leftrightsquigarrow ↮ nleftrightarrow ↰ Lsh ↱ Rsh ↶ curvearrowleft
↷ curvearrowright ↺ circlearrowleft ↻ circlearrowright ↼ leftharpoonup ↽ leftharpoondown
↾ upharpoonright ↿ upharpoonleft ⇀ rightharpoonup ⇁ rightharpoondown ⇂ downharpoonright
⇃ downharpoonleft ⇄ rightleftarrows ⇆ leftrightarrows ⇇ leftleftarrows ⇈ upuparrows
⇉ rightrightarrows ⇊ downdownarrows ⇋ leftrightharpoons ⇌ rightleftharpoons ⇍ nLeftarrow
⇎ nLeftrightarrow ⇏ nRightarrow ⇐ Leftarrow ⇑ Uparrow ⇒ Rightarrow ⇓ Downarrow ⇔ Leftrightarrow
⇕ Updownarrow ⇚ Lleftarrow ⇛ Rrightarrow ⇝ rightsquigarrow ⇠ dashleftarrow ⇢ dashrightarrow
∀ forall ∁ complement ∂ partial ∃ exists ∄ nexists ∅ emptyset ∆ Delta ∇ nabla ∈ in ∉ notin ∋ ni
∎ blacksquare ∏ prod ∐ coprod ∑ sum ∓ mp ∔ dotplus ∖ setminus ∘ circ ∙ bullet ∝ propto ∞ infty
∠ angle ∡ measuredangle ∢ sphericalangle ∣ mid ∤ nmid ∥ parallel ∦ nparallel ∧ wedge ∨ vee ∩ cap
∪ cup ∫ int ∬ iint ∭ iiint ∮ oint ∴ therefore ∵ because ∼ sim ∽ backsim ≀ wr ≁ nsim ≂ eqsim
≃ simeq ≅ cong ≇ ncong ≈ approx ≊ approxeq ≍ asymp ≎ Bumpeq ≏ bumpeq ≐ doteq ≑ doteqdot
≒ fallingdotseq ≓ risingdotseq ≖ eqcirc ≗ circeq ≜ triangleq ≠ neq ≡ equiv ≤ leq ≥ geq ≦ leqq
≧ geqq ≨ lneqq ≩ gneqq ≪ ll ≫ gg ≬ between ≮ nless ≯ ngtr ≰ nleq ≱ ngeq ≲ lesssim ≳ gtrsim
≶ lessgtr ≷ gtrless ≺ prec ≻ succ ≼ preceq ≽ succeq ≾ precsim ≿ succsim ⊀ nprec ⊁ nsucc ⊂ subset
⊃ supset ⊆ subseteq ⊇ supseteq ⊈ nsubseteq ⊉ nsupseteq ⊊ subsetneq ⊋ supsetneq ⊎ uplus ⊏ sqsubset
⊐ sqsupset ⊑ sqsubseteq ⊒ sqsupseteq ⊓ sqcap ⊔ sqcup ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash ⊙ odot
⊚ circledcirc ⊛ circledast ⊝ circleddash ⊞ boxplus ⊟ boxminus ⊠ boxtimes ⊡ boxdot ⊢ vdash ⊣ dashv
⊤ top ⊥ perp ⊨ models ⊩ Vdash ⊪ Vvdash ⊬ nvdash ⊭ nvDash ⊮ nVdash ⊯ nVDash ⊲ vartriangleleft
⊳ vartriangleright ⊴ trianglelefteq ⊵ trianglerighteq ⊸ multimap ⊺ intercal ⊻ veebar ⊼ barwedge
⋀ bigwedge ⋁ bigvee ⋂ bigcap ⋃ bigcup ⋄ diamond ⋅ cdot ⋆ star ⋇ divideontimes ⋈ bowtie ⋉ ltimes
⋊ rtimes ⋋ leftthreetimes ⋌ rightthreetimes ⋍ backsimeq ⋎ curlyvee ⋏ curlywedge ⋐ Subset ⋑ Supset
⋒ Cap ⋓ Cup ⋔ pitchfork ⋖ lessdot ⋗ gtrdot ⋘ lll ⋙ ggg ⋚ lesseqgtr ⋛ gtreqless ⋞ curlyeqprec
⋟ curlyeqsucc ⋠ npreceq ⋡ nsucceq ⋦ lnsim ⋧ gnsim ⋨ precnsim ⋩ succnsim ⋪ ntriangleleft
⋫ ntriangleright ⋬ ntrianglelefteq ⋭ ntrianglerighteq ⋮ vdots ⋯ cdots ⋱ ddots ⌀ varnothing
⌅ barwedge ⌆ doublebarwedge ⌈ lceil ⌉ rceil ⌊ lfloor ⌋ rfloor ⌜ ulcorner ⌝ urcorner ⌞ llcorner
⌟ lrcorner ⌢ frown ⌣ smile ⎰ lmoustache ⎱ rmoustache ■ blacksquare □ square ▪ blacksquare ▫ square
▲ blacktriangle △ triangle ▴ blacktriangle ▵ vartriangle ▷ triangleright ▸ blacktriangleright
▼ blacktriangledown ▽ bigtriangledown ▾ blacktriangledown ▿ triangledown ◁ triangleleft
◂ blacktriangleleft ◆ blacklozenge ◇ Diamond ◊ lozenge ○ bigcirc ◦ circ ◯ bigcirc ◼ blacksquare
★ bigstar ☆ star ☉ odot ☐ square ☓ times ♠ spadesuit ♡ heartsuit ♢ diamondsuit ♣ clubsuit
♥ heartsuit ♦ diamondsuit ♭ flat ♮ natural ♯ sharp ✓ checkmark ✔ checkmark ✕ times ✗ times
✠ maltese ✶ star ⟂ perp ⟨ langle ⟩ rangle ⟮ lgroup ⟯ rgroup ⟵ longleftarrow ⟶ longrightarrow
⟷ longleftrightarrow ⟸ Longleftarrow ⟹ Longrightarrow ⟺ Longleftrightarrow ⟼ longmapsto ⤳ leadsto
⨀ bigodot ⨁ bigoplus ⨂ bigotimes ⨄ biguplus ⨆ bigsqcup ⨌ iiiint ⨯ times ⨿ amalg ⩽ leqslant
⩾ geqslant ⪅ lessapprox ⪆ gtrapprox ⪇ lneq ⪈ gneq ⪉ lnapprox ⪊ gnapprox ⪋ lesseqqgtr ⪌ gtreqqless
⪕ eqslantless ⪖ eqslantgtr ⪯ preceq ⪰ succeq ⪵ precneqq ⪶ succneqq ⪷ precapprox ⪸ succapprox
⪹ precnapprox ⪺ succnapprox ⫅ subseteqq ⫆ supseteqq ⫋ subsetneqq ⫌ supsetneqq ⬝ centerdot
⬧ blacklozenge 〈 langle 〉 rangle 𝕜 Bbbk 𝜘 varkappa 𝜚 varrho
"""
_names = _COMMANDS.split()

COMMANDS: dict[str, str] = {
    character: "\\" + name for character, name in zip(_names[::2], _names[1::2], strict=True)
}
"""Characters that are drawn by a command without arguments."""

PLAIN: dict[str, str] = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\u2015\u2043\ufe63", "-"),
    **dict.fromkeys("\u2217\uff0a", "*"),
    **dict.fromkeys("\u2215\u2044\u29f8", "/"),
    **dict.fromkeys("\u01c0\u2758\uffe8", "|"),
    "\u2236": ":",
    "\u00b0": r"^{\circ}",
    # Greek letters that LaTeX draws with Latin ones.
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)),
}
"""Characters that ASCII has in math, or that LaTeX writes in another way."""

PRIMES: dict[str, int] = {
    **dict.fromkeys("\u2032\u2019\u02b9\u02bc\u00b4\uff07", 1),
    **dict.fromkeys("\u2033\u02ba", 2),
    "\u2034": 3,
    "\u2057": 4,
}
"""Characters that are so many primes."""

TEXT: dict[str, str] = {
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    **dict.fromkeys("\u2010\u2011", "-"),
    **dict.fromkeys("\u2012\u2013", "--"),
    **dict.fromkeys("\u2014\u2015", "---"),
}
"""Characters that text writes in another way than math."""

ACCENTS: dict[str, str] = {
    "\u0300": "\\grave",
    "\u0301": "\\acute",
    "\u0302": "\\hat",
    "\u0303": "\\tilde",
    "\u0304": "\\bar",
    "\u0305": "\\overline",
    "\u0306": "\\breve",
    "\u0307": "\\dot",
    "\u0308": "\\ddot",
    "\u030a": "\\mathring",
    "\u030c": "\\check",
    "\u0332": "\\underline",
    "\u20d6": "\\overleftarrow",
    "\u20d7": "\\vec",
    "\u20db": "\\dddot",
    "\u20dc": "\\ddddot",
    "\u20e1": "\\overleftrightarrow",
}
"""Combining characters that are accents in math."""

TEXT_ACCENTS: dict[str, str] = {"\u0300": "\\`", "\u0301": "\\'", "\u0302": "\\^", "\u0308": '\\"'}
"""Combining characters that are drawn alike in text and math by an accent of text."""

ESCAPED: dict[str, str] = {
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "_": r"\_",
    "~": r"\sim",
    "\\": r"\backslash",
    "^": r"\wedge",
}
"""ASCII characters that LaTeX reads as markup, where a full-width one means the character."""

DOTLESS: dict[str, str] = {"\u0131": "i", "\u0237": "j"}
