# ruff: noqa: RUF001
r"""The character that pandoc 2.17.1.1 (texmath 0.12.4) makes of each LaTeX command.

Two commands have one label if they make one character (`\to` and `\rightarrow`), and a command
that is not here makes the whole formula unreadable. The table holds pandoc's answers for the
commands of LaTeX, amssymb, Detexify's symbols and the arXiv formulas; the rarer half of
unicode-math's names is not in it.
"""

from __future__ import annotations

from im2tex.latex.normal_form.commands import OPERATORS as OPERATOR_NAMES


def _table(text: str) -> dict[str, str]:
    words = text.split()
    return {"\\" + name: drawn for name, drawn in zip(words[::2], words[1::2], strict=True)}


# Names of functions: one symbol, labelled with the name.
FUNCTIONS: dict[str, str] = {command: command[1:] for command in OPERATOR_NAMES}

# Letters and relations: `\not` strikes them through.
NEGATABLE: dict[str, str] = _table(r"""
alpha α beta β chi χ Delta Δ delta δ epsilon ϵ eta η Gamma Γ gamma γ iota ι kappa κ Lambda Λ
lambda λ mu μ nu ν Omega Ω omega ω Phi Φ phi ϕ Pi Π pi π Psi Ψ psi ψ rho ρ Sigma Σ sigma σ tau τ
Theta Θ theta θ Upsilon Υ upsilon υ varepsilon ε varphi φ vartheta ϑ Xi Ξ xi ξ zeta ζ
adots ⋰ approx ≈ approxeq ≊ approxident ≋ arceq ≘ asymp ≍ backcong ≌ backsim ∽ backsimeq ⋍
bagmember ⋿ barleftarrow ⇤ between ≬ bowtie ⋈ Bumpeq ≎ bumpeq ≏ circeq ≗ Colon ∷ coloneq ≔
Coloneqq ⩴ coloneqq ≔ cong ≅ curlyeqprec ⋞ curlyeqsucc ⋟ curvearrowleft ↶ curvearrowright ↷
dashv ⊣ ddots ⋱ disin ⋲ Doteq ≑ doteq ≐ doteqdot ≑ dotsminusdots ∺ Downarrow ⇓ downarrow ↓
downdownarrows ⇊ downharpoonleft ⇃ downharpoonright ⇂ downzigzagarrow ↯ eqcirc ≖ eqcolon ≕
eqdef ≝ eqgtr ⋝ eqless ⋜ eqqcolon ≕ eqsim ≂ eqslantgtr ⪖ eqslantless ⪕ equal = equalparallel ⋕
Equiv ≣ equiv ≡ fallingdotseq ≒ frown ⌢ ge ≥ geq ≥ geqq ≧ geqslant ≥ gets ← gg ≫ ggg ⋙ gnapprox ⪊
gneq ⪈ gneqq ≩ gnsim ⋧ greater > gt > gtrapprox ⪆ gtrdot ⋗ gtreqless ⋛ gtreqqless ⪌ gtrless ≷
gtrsim ≳ hookleftarrow ↩ hookrightarrow ↪ iddots ⋰ iff ⇔ imageof ⊷ impliedby ⟸ implies ⟹ in ∈
isindot ⋵ isinE ⋹ isinobar ⋷ isins ⋴ isinvb ⋸ Join ⋈ kernelcontraction ∻ Ldsh ↲ le ≤ leadsto ⤳
Leftarrow ⇐ leftarrow ← leftarrowtail ↢ leftarrowtriangle ⇽ leftharpoondown ↽ leftharpoonup ↼
leftleftarrows ⇇ Leftrightarrow ⇔ leftrightarrow ↔ leftrightarrows ⇆ leftrightarrowtriangle ⇿
leftrightharpoons ⇋ leftrightsquigarrow ↭ leftsquigarrow ⇜ leq ≤ leqq ≦ leqslant ≤ less <
lessapprox ⪅ lessdot ⋖ lesseqgtr ⋚ lesseqqgtr ⪋ lessgtr ≶ lesssim ≲ lightning ↯ ll ≪ Lleftarrow ⇚
lll ⋘ lnapprox ⪉ lneq ⪇ lneqq ≨ lnsim ⋦ Longleftarrow ⇐ longleftarrow ← Longleftrightarrow ⇔
longleftrightarrow ↔ Longmapsfrom ⟽ longmapsfrom ⟻ Longmapsto ⟾ longmapsto ↦ Longrightarrow ⇒
longrightarrow → looparrowleft ↫ looparrowright ↬ Lsh ↰ lt < mapsdown ↧ Mapsfrom ⤆ mapsfrom ↤
Mapsto ⤇ mapsto ↦ mapsup ↥ measeq ≞ models ⊨ multimap ⊸ napprox ≉ ncong ≇ ne ≠ Nearrow ⇗
nearrow ↗ neq ≠ nequiv ≢ ngeq ≱ ngeqslant ≱ ngtr ≯ ngtrless ≹ ngtrsim ≵ ni ∋ niobar ⋾ nis ⋼
nisd ⋺ nLeftarrow ⇍ nleftarrow ↚ nLeftrightarrow ⇎ nleftrightarrow ↮ nleq ≰ nleqslant ≰ nless ≮
nlessgtr ≸ nlesssim ≴ nmid ∤ notin ∉ nparallel ∦ nprec ⊀ npreccurlyeq ⋠ npreceq ⋠ nRightarrow ⇏
nrightarrow ↛ nsim ≁ nsimeq ≄ nsqsubseteq ⋢ nsqsupseteq ⋣ nsubset ⊄ nsubseteq ⊈ nsucc ⊁
nsucccurlyeq ⋡ nsucceq ⋡ nsupset ⊅ nsupseteq ⊉ ntriangleleft ⋪ ntrianglelefteq ⋬ ntriangleright ⋫
ntrianglerighteq ⋭ nVDash ⊯ nVdash ⊮ nvDash ⊭ nvdash ⊬ Nwarrow ⇖ nwarrow ↖ origof ⊶ owns ∋
parallel ∥ perp ⊥ pitchfork ⋔ prec ≺ precapprox ⪷ preccurlyeq ≼ preceq ≼ precnapprox ⪹ precneqq ⪵
precnsim ⋨ precsim ≾ propto ∝ prurel ⊰ questeq ≟ Rdsh ↳ restriction ↾ Rightarrow ⇒ rightarrow →
rightarrowbar ⇥ rightarrowtail ↣ rightarrowtriangle ⇾ rightharpoondown ⇁ rightharpoonup ⇀
rightleftarrows ⇄ rightleftharpoons ⇌ rightrightarrows ⇉ rightsquigarrow ⇝ risingdotseq ≓
Rrightarrow ⇛ Rsh ↱ scurel ⊱ Searrow ⇘ searrow ↘ sim ∼ simeq ≃ simneqq ≆ smallfrown ⌢ smallin ∊
smallsmile ⌣ smile ⌣ sqsubset ⊏ sqsubseteq ⊑ sqsubsetneq ⋤ sqsupset ⊐ sqsupseteq ⊒ sqsupsetneq ⋥
stareq ≛ Subset ⋐ subset ⊂ subseteq ⊆ subseteqq ⫅ subsetneq ⊊ subsetneqq ⫋ succ ≻ succapprox ⪸
succcurlyeq ≽ succeq ≽ succnapprox ⪺ succneqq ⪶ succnsim ⋩ succsim ≿ Supset ⋑ supset ⊃ supseteq ⊇
supseteqq ⫆ supsetneq ⊋ supsetneqq ⫌ Swarrow ⇙ swarrow ↙ to → trianglelefteq ⊴ triangleq ≜
trianglerighteq ⊵ twoheaddownarrow ↡ twoheadleftarrow ↞ twoheadrightarrow ↠ twoheaduparrow ↟
Uparrow ⇑ uparrow ↑ Updownarrow ⇕ updownarrow ↕ updownarrows ⇅ upharpoonleft ↿ upharpoonright ↾
upuparrows ⇈ varisinobar ⋶ varisins ⋳ varniobar ⋽ varnis ⋻ varpropto ∝ varsubsetneq ⊊
vartriangleleft ⊲ vartriangleright ⊳ Vdash ⊩ vDash ⊨ vdash ⊢ veeeq ≚ Vvdash ⊪ wedgeq ≙
""")

# All other symbols: a `\not` before one of them makes the formula unreadable.
OTHERS: dict[str, str] = _table(r"""
acwopencirclearrow ↺ aleph ℵ amalg ∐ ampersand & angle ∠ aquarius ♒ Aries ♈ aries ♈ ast *
astrosun ☉ backepsilon ϶ backprime ‵ backslash ∖ barvee ⊽ barwedge ⌅ BbbC ℂ Bbbk 𝕜 BbbN ℕ BbbP ℙ
BbbQ ℚ BbbR ℝ BbbZ ℤ because ∵ beth ℶ bigcap ⋂ bigcirc ○ bigcup ⋃ bigodot ⨀ bigoplus ⨁
bigotimes ⨂ bigsqcap ⨅ bigsqcup ⨆ bigstar ★ bigtriangledown ▽ bigtriangleup △ biguplus ⨄ bigvee ⋁
bigwedge ⋀ blacklozenge ⬧ blacksmiley ☻ blacksquare ◼ blacktriangle ▴ blacktriangledown ▾
blacktriangleleft ◂ blacktriangleright ▸ bot ⊥ Box □ boxbar ◫ boxdot ⊡ boxminus ⊟ boxplus ⊞
boxtimes ⊠ bullet • cancer ♋ Cap ⋒ cap ∩ capricornus ♑ carriagereturn ↵ cdot ⋅ cdotp · cdots ⋯
cent ¢ centerdot ⬝ CheckedBox ☑ checkmark ✓ circ ∘ circlearrowleft ↺ circlearrowright ↻
circledast ⊛ circledcirc ⊚ circleddash ⊝ circledR ® clubsuit ♣ colon : comma , complement ∁
coprod ∐ Cup ⋓ cup ∪ cupdot ⊍ cupleftarrow ⊌ curlyvee ⋎ curlywedge ⋏ cwopencirclearrow ↻ dag †
dagger † daleth ℸ danger ☡ dashleftarrow ⇠ dashrightarrow ⇢ ddag ‡ ddagger ‡ diameter ⌀ Diamond ◇
diamond ⋄ diamondsuit ♢ digamma ϝ div ÷ divideontimes ⋇ dotminus ∸ dotplus ∔ dots … dotsb ⋯
dotsc … dotsi ⋯ dotsm ⋯ dotso … doublebarwedge ⌆ earth ♁ ell ℓ emptyset ∅ eth ð euro € exclam !
exists ∃ female ♀ fint ⨏ Finv Ⅎ flat ♭ forall ∀ frownie ☹ Game ⅁ Gemini ♊ gemini ♊ gimel ℷ hbar ℏ
hdots … heartsuit ♡ hermitmatrix ⊹ hslash ℏ iiiint ⨌ iiint ∭ iint ∬ Im ℑ imath ı increment ∆
infty ∞ int ∫ intercal ⊺ invnot ⌐ jmath ȷ Jupiter ♃ jupiter ♃ land ∧ langle ⟨ Lbag ⟅ lbag ⟅
lbrace { lbrack [ lceil ⌈ ldots … leftmoon ☾ leftthreetimes ⋋ Leo ♌ leo ♌ lfloor ⌊ lgroup ⟮ LHD ◀
lhd ⊲ Libra ♎ libra ♎ llbracket ⟦ llcorner ⌞ llparenthesis ⦇ lmoustache ⎰ lnot ¬ lor ∨ lozenge ◊
lrcorner ⌟ ltimes ⋉ lVert ∥ lvert | male ♂ maltese ✠ Mars ♂ mathdollar $ mathsterling £
measuredangle ∡ measuredrightangle ⊾ Mercury ☿ mercury ☿ mho ℧ mid ∣ minus − mp ∓ nabla ∇
natural ♮ neg ¬ Neptune ♆ neptune ♆ nexists ∄ obar ⌽ odot ⊙ oiiint ∰ oiint ∯ oint ∮
ointctrclockwise ∳ ominus ⊖ oplus ⊕ oslash ⊘ otimes ⊗ partial ∂ percent % period . pisces ♓
plus + Pluto ♇ pluto ♇ pm ± pounds £ prime ′ prod ∏ QED ∎ question ? rangle ⟩ Rbag ⟆ rbag ⟆
rbrace } rbrack ] rceil ⌉ Re ℜ rfloor ⌋ rgroup ⟯ RHD ▶ rhd ⊳ rightangle ∟ rightmoon ☽
rightthreetimes ⋌ rmoustache ⎱ rrbracket ⟧ rrparenthesis ⦈ rtimes ⋊ rVert ∥ rvert | sagittarius ♐
Saturn ♄ saturn ♄ Scorpio ♏ scorpio ♏ semicolon ; setminus \ sharp ♯ sinewave ∿ skull ☠ slash /
smallsetminus ∖ smiley ☺ spadesuit ♠ sphericalangle ∢ sqcap ⊓ sqcup ⊔ sqint ⨖ Square ☐ square ▫
star ⋆ sterling £ sum ∑ Sun ☉ sun ☼ Taurus ♉ taurus ♉ therefore ∴ times × top ⊤ triangle △
triangledown ▿ triangleleft ⊲ triangleright ⊳ turnednot ⌙ ulcorner ⌜ unlhd ⊴ unrhd ⊵ upalpha α
upbeta β upchi χ updelta δ updownarrowbar ↨ upepsilon ε upeta η upgamma γ upiota ι upkappa κ
uplambda λ uplus ⊎ upmu μ upnu ν upomega ω upphi ϕ uppi π uppsi ψ uprho ρ upsigma σ uptau τ
uptheta θ upupsilon υ upvarepsilon ϵ upvarphi φ upvarpi ϖ upvarrho ϱ upvarsigma ς upvartheta ϑ
upxi ξ upzeta ζ Uranus ♅ uranus ♅ urcorner ⌝ varkappa 𝜘 varlrtriangle ⊿ varnothing ⌀
varointclockwise ∲ varpi ϖ varrho 𝜚 varsigma ς vartriangle ▵ vdots ⋮ vee ∨ veebar ⊻ Venus ♀
Vert ‖ vert | virgo ♍ wasylozenge ⌑ wedge ∧ wp ℘ wr ≀ XBox ☒ yen ¥
""") | {
    **{"\\" + character: character for character in "#%&^_{}$"},
    "\\|": "∥",
}

# Characters that stand for themselves or for another one.
OPERATORS: dict[str, str] = {
    **{character: character for character in "+*@,.;?!/"},
    "-": "−",
    "'": "′",
    "''": "″",
    "'''": "‴",
    "''''": "⁗",
}
RELATION_OPERATORS: dict[str, str] = {character: character for character in (*":<>=", ":=")}

# What a relation turns into behind `\not`; everything else gets the combining stroke.
NEGATED: dict[str, str] = dict(
    zip(
        "≈≅=≡≥>≳∈≤<≲∋∥≺≼≃⊑⊒⊂⊆≻≽⊃⊇",
        "≉≆≠≢≱≯≵∉≰≮≴∌∦⊀⋠≄⋢⋣⊄⊈⊁⋡⊅⊉",
        strict=True,
    )
)
STROKE = "\u0338"

SPACES = frozenset({"~", *(f"\\{name}" for name in (*",;:!> ", "quad", "qquad"))})

# What may follow `\left`, `\middle`, `\right` and `\big`.
DELIMITERS: dict[str, str] = {
    **{character: character for character in "()[]|"},
    **_table(r"{ { } } | ∥ Vert ‖"),
    **{
        "\\" + name: (NEGATABLE | OTHERS)["\\" + name]
        for name in (
            *("langle", "rangle", "lbrace", "rbrace", "lbrack", "rbrack", "lceil", "rceil"),
            *("lfloor", "rfloor", "llbracket", "rrbracket", "lvert", "rvert", "lVert", "rVert"),
            *("vert", "ulcorner", "urcorner"),
        )
    },
}

# As an argument without braces a delimiter is another character, or none that pandoc accepts.
AS_ARGUMENT: dict[str, str] = _table(
    "langle \u2329 rangle \u232a llbracket 〚 rrbracket 〛 | ‖ sqrt √"
)
NEVER_ARGUMENT = frozenset({"\\{", "\\lvert", "\\rvert", "\\lVert", "\\rVert"})


# Accents take one argument. `\underleftarrow` and its mirror image are drawn above, a slip of
# pandoc's. The code points are written as such: combining characters cannot be read in print.
def _accents(text: str) -> dict[str, str]:
    return {command: chr(int(code, 16)) for command, code in _table(text).items()}


ACCENTS_ABOVE: dict[str, str] = _accents("""
grave 300 acute 301 hat 302 widehat 302 tilde 303 widetilde 303 breve 306 dot 307
Dot 307 ddot 308 ring 30A mathring 30A ocirc 30A check 30C candra 310
leftharpoonaccent 20D0 rightharpoonaccent 20D1 overleftarrow 20D6 vec 20D7 Vec 20D7
overrightarrow 20D7 dddot 20DB ddddot 20DC overleftrightarrow 20E1 underleftarrow 20EE
underrightarrow 20EF overline AF overbar AF bar 203E overbrace 23DE overbracket 23B4
overparen 23DC wideparen 23DC
""")
ACCENTS_BELOW: dict[str, str] = _accents("""
underbar 331 underline 5F underbrace 23DF underbracket 23B5 underparen 23DD
""")
# A script of one of these is a limit: above or below, not at the corner.
BRACES = frozenset("\u23de\u23b4\u23df\u23b5")
