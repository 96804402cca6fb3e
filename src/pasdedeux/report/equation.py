"""Equations as MathML, so that a page shows them without a script and without a network.

Browsers draw MathML themselves. latex2mathml knows most of TeX; what it lacks and the notebooks use
is rewritten first. An equation that it cannot read is shown as its TeX source, never half.
"""

import html
import re
import unicodedata
from collections.abc import Mapping

from latex2mathml.converter import convert

_ALIGNED = r"(?:aligned|alignedat|align|gathered|gather|multline)\*?"
_REWRITTEN = (  # in this order
    (re.compile(r"\\(?:label\{[^{}]*\}|nonumber|notag)"), ""),
    (re.compile(r"\\(begin|end)\{equation\*?\}"), ""),
    (re.compile(rf"\\(begin|end)\{{{_ALIGNED}\}}"), r"\\\1{split}"),
    (re.compile(r"\\operatorname\*"), r"\\operatorname"),
    (re.compile(r"\\arg(?![a-zA-Z])"), r"\\operatorname{arg}"),
    (re.compile(r"\\(big|Big|bigg|Bigg)m(?![a-zA-Z])"), r"\\\1"),
    (re.compile(r"\\[lr]Vert(?![a-zA-Z])"), r"\\|"),  # bars that stay as high as a letter
    (re.compile(r"\\[lr]vert(?![a-zA-Z])"), "|"),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\mathrm\{([A-Za-z]{2,})\}"), r"\\text{\1}"),
)
_LIMITS = re.compile(r"\\(sup|inf|max|min|lim)(?=\s*_)")
_TAG = re.compile(r"\\tag\*?\{([^{}]*)\}")
_RENDERED = (  # what latex2mathml writes, and what browsers should get
    (re.compile("<mi>&#x0007E;</mi>"), "<mo>&#x0223C;</mo>"),
    (re.compile("<mi>:</mi>"), "<mo>:</mo>"),
    (re.compile("<mi />"), ""),
    (re.compile("<mo>(&#x0221E;|∞)</mo>"), r"<mi>\1</mi>"),
    (
        re.compile("(?<!<msub>)(?<!<msup>)(?<!<msubsup>)(<mi>(?:log|ln|exp|sin|cos)</mi>)"),
        r'\1<mspace width="0.17em" />',
    ),
    (
        re.compile('<mo(?: stretchy="false")?>(?:\\||&#x0007C;)</mo>'),
        '<mi mathvariant="normal">|</mi>',
    ),
)


_BRACE = re.compile(  # one without another inside
    r"<m(under|over)><m\1>((?:(?!<m(under|over)><m\3>).)*?)<mo>&#x23D[EF];</mo></m\1>", re.DOTALL
)
_SIZED = re.compile(r"<mo[^>]*( minsize=\"[^\"]*\" maxsize=\"[^\"]*\")>([^<]*)</mo>")  # \Big
_STRETCHED = ' stretchy="true" fence="true" lspace="0" rspace="0"'
_BRACKETS = {r"\{": "{", r"\}": "}", r"\|": "‖", r"\Vert": "‖", r"\vert": "|"}
_LETTER = re.compile(r"<(m[in]) mathvariant=\"([a-z-]+)\">([^<]+)</\1>")
_ALPHABETS: Mapping[str, tuple[str, ...]] = {  # as Unicode calls them; the second are the older
    "script": ("MATHEMATICAL SCRIPT", "SCRIPT"),
    "double-struck": ("MATHEMATICAL DOUBLE-STRUCK", "DOUBLE-STRUCK"),
    "fraktur": ("MATHEMATICAL FRAKTUR", "BLACK-LETTER"),
    "bold": ("MATHEMATICAL BOLD",),
    "bold-italic": ("MATHEMATICAL BOLD ITALIC",),
}


def mathml(tex: str, *, display: bool = False) -> str:
    r"""Return `tex`, given without dollar signs, as an HTML fragment: inline, or centred.

    Fractions, sums, norms, matrices, cases and aligned lines are known; a displayed `\tag{4}`
    stands as (4) on the right.
    """
    tags = _TAG.findall(tex)
    source = _TAG.sub("", tex).strip()
    for pattern, better in _REWRITTEN:
        source = pattern.sub(better, source)
    if display:
        source = _LIMITS.sub(r"\\\1\\limits", source)
    drawn = _converted(source, display) or f'<code class="tex">{html.escape(tex.strip())}</code>'
    if not display:
        return drawn
    number = f'<span class="number">({html.escape(", ".join(tags))})</span>' if tags else ""
    return f'<div class="equation">{drawn}{number}</div>'


def _converted(source: str, display: bool) -> str:
    """Return the MathML of `source`, or '' when it holds what latex2mathml does not know."""
    depth = source.replace(r"\{", "").replace(r"\}", "")
    if not source or depth.count("{") != depth.count("}"):
        return ""
    try:
        drawn = convert(source, display="block" if display else "inline")
    except Exception:  # noqa: BLE001 - whatever it stumbles over, the source itself is shown
        return ""
    drawn = _SIZED.sub(_sized, drawn)
    unknown = re.search(r"<m[io][^>]*>(?:\\|&<)", drawn)
    if unknown:
        return ""
    for written, better in _RENDERED:
        drawn = written.sub(better, drawn)
    drawn = _LETTER.sub(_letter, drawn)
    # few fonts have a brace that grows with what it holds, so a border is drawn in its place
    while _BRACE.search(drawn):
        drawn = _BRACE.sub(r'<m\1><mrow class="brace \1">\2</mrow>', drawn)
    return drawn


def _sized(found: re.Match[str]) -> str:
    r"""Return a bracket of given height, which TeX writes after `\Big`, as one that stretches."""
    size, bracket = found.groups()
    drawn = f"<mo{_STRETCHED}{size}>{_BRACKETS.get(bracket, bracket)}</mo>"
    return f"<mrow>{drawn}</mrow>"  # else it stays low where it has an exponent


def _letter(found: re.Match[str]) -> str:
    """Return letters of an alphabet as Unicode has them: browsers pass over `mathvariant`."""
    tag, alphabet, text = found.groups()
    drawn = [_of_alphabet(letter, alphabet) for letter in html.unescape(text)]
    return f"<{tag}>{''.join(drawn)}</{tag}>" if all(drawn) else found.group()


def _of_alphabet(letter: str, alphabet: str) -> str:
    """Return `letter` as the mathematical `alphabet` has it, "" where Unicode has none."""
    name = re.sub("LATIN |GREEK |LETTER ", "", unicodedata.name(letter, ""))
    for prefix in _ALPHABETS.get(alphabet, ()):
        try:
            return unicodedata.lookup(f"{prefix} {name}")
        except KeyError:
            continue
    return ""
