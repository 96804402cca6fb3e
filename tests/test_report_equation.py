"""Equations: MathML for what the notebooks use, plain TeX for what is not understood."""

import re
import string
import unicodedata
from xml.etree import ElementTree

import pytest

from pasdedeux.report.equation import mathml

USED = [
    r"\frac{a}{b}",
    r"\mathbb{E}_{x \sim \mathbb{P}_{\mathbf{X}_A}} [\mathbf{D}_F(x)]",
    r"\nabla_\theta \mathcal{L}_{G_F} = -\sum_{i\in\{A,B,F\}} D_i(G_F(z))",
    r"\sup_{\lVert f\rVert_L \le 1} f(x) - \max_\phi \min_\theta V",
    r"\begin{aligned} \mathrm{Ratio} &= \frac{d_A + d_B}{d} \\ \mathrm{Diff} &= d_A \end{aligned}",
    r"\begin{align} a &= b \\ &\quad + c \end{align}",
    r"\begin{equation} a = b \end{equation}",
    r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
    r"\left\| \frac{a}{b} \right\|_2^2 \bigl( x \bigr)",
    r"\hat{x}_{1:T}, \tilde{D}, \bar x, x'",
    r"p_\theta(x_t \mid x_{<t}) \to \infty",
    r"\arg\max_\theta \prod_{t=1}^{T} p, \; \operatorname*{relu}(x) \! + \log p",
    r"\mathcal{L}_{F\text{-}bal}",
]


@pytest.mark.parametrize("display", [True, False])
@pytest.mark.parametrize("tex", USED)
def test_equations_in_use_become_wellformed_mathml(tex: str, display: bool) -> None:
    drawn = mathml(tex, display=display)
    assert "<code" not in drawn
    assert "\\" not in drawn
    tree = ElementTree.fromstring(drawn)  # raises when tags do not match or '&' stands alone
    math = tree if tree.tag.endswith("math") else tree[0]
    assert math.attrib["display"] == ("block" if display else "inline")


def _texts(drawn: str) -> list[str]:
    return [text for text in ElementTree.fromstring(drawn).itertext() if text.strip()]


def test_a_fraction_keeps_both_halves() -> None:
    drawn = mathml(r"\frac{d_A}{17}")
    fraction = re.search("<mfrac>(.*)</mfrac>", drawn)
    assert fraction is not None
    assert _texts(f"<x>{fraction[1]}</x>") == ["d", "A", "17"]


def test_aligned_lines_are_rows_of_two_cells() -> None:
    drawn = mathml(r"\begin{aligned} a &= b \\ c &= d \\ e &= f \end{aligned}", display=True)
    assert drawn.count("<mtr>") == 3
    assert drawn.count("<mtd") == 6


def test_a_tag_is_the_number_of_a_displayed_equation() -> None:
    drawn = mathml(r"a = b \tag{14}", display=True)
    assert '<span class="number">(14)</span>' in drawn
    assert _texts(drawn) == ["a", "=", "b", "(14)"]


def test_limits_stand_below_in_display() -> None:
    assert "<munder>" in mathml(r"\sup_{f} x", display=True)
    assert "<munder>" not in mathml(r"\sup_{f} x")


def test_similar_is_a_relation_and_words_stay_whole() -> None:
    assert "<mo>&#x0223C;</mo>" in mathml(r"x \sim p")
    assert "<mtext>Ratio</mtext>" in mathml(r"\mathrm{Ratio}")
    assert "<mo" not in mathml(r"|d| \lvert d \rvert \infty \log p")


def test_letters_of_an_alphabet_are_letters_of_unicode() -> None:
    tex = r"\mathcal L \mathcal{N} \mathbb E \mathbb{R} \mathbb{1} \mathfrak{C} \boldsymbol{\theta}"
    assert _texts(mathml(tex)) == ["ℒ", "𝒩", "𝔼", "ℝ", "𝟙", "ℭ", "𝜽"]
    drawn = mathml(r"\mathcal{ABCDEFGHIJKLMNOPQRSTUVWXYZ} \mathbb{ABCDEFGHIJKLMNOPQRSTUVWXYZ}")
    assert "mathvariant" not in drawn
    plain = [unicodedata.normalize("NFKC", letter) for letter in _texts(drawn)]
    assert "".join(plain) == 2 * string.ascii_uppercase


def test_big_brackets_are_higher_than_letters() -> None:
    drawn = mathml(r"\Big[ \bigl( x \bigr) \Big\} \Big\lVert \bigm| \Big]")
    found = re.findall('<mo stretchy="true"[^>]* minsize="([0-9.]+)em"[^>]*>(.)</mo>', drawn)
    assert [bracket for _, bracket in found] == ["[", "(", ")", "}", "‖", "|", "]"]
    assert all(float(size) > 1 for size, _ in found)


@pytest.mark.parametrize(
    "tex", [r"\Big( x \Big)^2", r"\log_2 x", r"\exp^2 x", r"\big[ x \big]_1^2"]
)
def test_a_script_has_one_base(tex: str) -> None:
    most = {"msub": 2, "msup": 2, "msubsup": 3}
    scripts = [
        (one.tag.rpartition("}")[2], one)
        for one in ElementTree.fromstring(mathml(tex)).iter()
        if one.tag.rpartition("}")[2] in most
    ]
    assert scripts
    for name, one in scripts:
        assert len(one) == most[name]
        assert not one[0].tag.endswith("mo"), "a bracket with an exponent would stay low"


def test_a_brace_below_is_as_wide_as_what_it_holds() -> None:
    inner = r"\underbrace{b + c}_{x}"
    drawn = mathml(rf"\underbrace{{a + {inner} + \overbrace{{d}}^{{q}}}}_{{\text{{all}}}}")
    assert "&#x23D" not in drawn
    tree = ElementTree.fromstring(drawn)
    braces = [one for one in tree.iter() if one.attrib.get("class", "").startswith("brace")]
    held = ["".join(one.itertext()) for one in braces]
    assert held == ["a+b+cx+dq", "b+c", "d"]
    assert [one.attrib["class"] for one in braces] == ["brace under"] * 2 + ["brace over"]


@pytest.mark.parametrize("tex", [r"\weird{x}", r"\frac{a", r"a }", "", r"a & b < c"])
def test_what_is_not_understood_is_shown_as_source(tex: str) -> None:
    drawn = mathml(tex)
    assert drawn.startswith('<code class="tex">')
    assert "<math" not in drawn
    assert _texts(drawn) == ([tex] if tex else [])
