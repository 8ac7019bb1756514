"""A picture of boxes, lines and text, written as SVG, and as PNG to look at while it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

SANS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
MONO = "DejaVu Sans Mono, Menlo, Consolas, monospace"
MONO_ADVANCE = 0.602  # width of a character of a monospaced font, relative to its size


@dataclass(frozen=True)
class Box:
    """A rectangle with rounded corners; all lengths in pixels, y downwards."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = "none"
    radius: float = 6.0

    def svg(self) -> str:
        """The element."""
        return (
            f'<rect x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" height="{self.height:g}" '
            f'rx="{self.radius:g}" fill="{self.fill}" stroke="{self.stroke}"/>'
        )


@dataclass(frozen=True)
class Words:
    """One line of text, (x, y) at the left end or the middle of its baseline."""

    x: float
    y: float
    text: str
    size: float = 13.0
    fill: str = "#222222"
    is_bold: bool = False
    is_mono: bool = False
    is_centred: bool = False

    def svg(self) -> str:
        """The element; a line of a monospaced font is as wide as its characters, in any font."""
        style = ' font-weight="bold"' if self.is_bold else ""
        style += ' text-anchor="middle"' if self.is_centred else ""
        if self.is_mono:
            width = len(self.text) * MONO_ADVANCE * self.size
            style += f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"'
        family = MONO if self.is_mono else SANS
        return (
            f'<text x="{self.x:g}" y="{self.y:g}" font-size="{self.size:g}" fill="{self.fill}" '
            f'font-family="{family}" xml:space="preserve"{style}>{escape(self.text)}</text>'
        )


@dataclass(frozen=True)
class Arrow:
    """A smooth line through points, downwards, or straight to the right, with a head."""

    points: tuple[tuple[float, float], ...]
    stroke: str = "#555555"
    is_across: bool = False

    def svg(self) -> str:
        """The element."""
        (x, y), *rest = self.points
        path = f"M {x:.1f} {y:.1f}"
        for nx, ny in rest:
            middle = (y + ny) / 2
            path += f" C {x:.1f} {middle:.1f} {nx:.1f} {middle:.1f} {nx:.1f} {ny:.1f}"
            x, y = nx, ny
        return (
            f'<path d="{path}" fill="none" stroke="{self.stroke}" stroke-width="1.4" '
            f'marker-end="url(#head)"/>'
        )


@dataclass
class Picture:
    """What is drawn, in order; later things cover earlier ones."""

    width: float
    height: float
    title: str
    background: str = "#ffffff"
    parts: list[Box | Words | Arrow] = field(default_factory=list)

    def svg(self) -> str:
        """The text of an SVG file."""
        head = (
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="#555555"/></marker>'
        )
        has_arrows = any(isinstance(part, Arrow) for part in self.parts)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" '
            f'height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}" role="img">',
            f"<title>{escape(self.title)}</title>",
            *([f"<defs>{head}</defs>"] if has_arrows else []),
            Box(0, 0, self.width, self.height, self.background).svg(),
            *(part.svg() for part in self.parts),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def save_png(self, path: Path) -> None:
        """Draw the same with matplotlib, where nothing is at hand that shows SVG."""
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch
        from matplotlib.path import Path as Curve

        figure = Figure(figsize=(self.width / 72, self.height / 72), dpi=110)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        axes.axis("off")
        for part in (Box(0, 0, self.width, self.height, self.background), *self.parts):
            if isinstance(part, Box):
                shape = f"round,pad=0,rounding_size={part.radius}"
                axes.add_patch(
                    FancyBboxPatch(
                        (part.x, part.y), part.width, part.height, boxstyle=shape,
                        facecolor=part.fill, edgecolor=part.stroke,
                    )
                )  # fmt: skip
            elif isinstance(part, Words):
                axes.text(
                    part.x, part.y, part.text.replace("$", r"\$"), size=part.size,
                    color=part.fill,
                    family="DejaVu Sans Mono" if part.is_mono else "DejaVu Sans",
                    weight="bold" if part.is_bold else "normal",
                    ha="center" if part.is_centred else "left",
                )  # fmt: skip
            else:
                curve = Curve(*_bezier(part.points))
                axes.add_patch(PathPatch(curve, fill=False, edgecolor=part.stroke, linewidth=1.4))
                x, y = part.points[-1]
                marker = ">" if part.is_across else "v"
                axes.plot([x], [y - 3 * (marker == "v")], marker=marker, color=part.stroke)
        figure.savefig(path)


def _bezier(
    points: Sequence[tuple[float, float]],
) -> tuple[list[tuple[float, float]], list[int]]:
    """Points and codes of matplotlib's for the line of an `Arrow`."""
    (x, y), *rest = points
    places, codes = [(x, y)], [1]
    for nx, ny in rest:
        middle = (y + ny) / 2
        places += [(x, middle), (nx, middle), (nx, ny)]
        codes += [4, 4, 4]
        x, y = nx, ny
    return places, codes
