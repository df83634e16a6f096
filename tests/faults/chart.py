"""Curves over time as an SVG, a panel each, with a mark where a fault began."""
from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, TOP, GAP = 960, 110, 60, 40, 34
COLOURS = ("#1f6feb", "#8250df", "#cf222e", "#bf8700", "#1a7f37", "#0969da", "#6e7781")


def _panel(name, points, until, y, colour):
    """One curve, with its least and greatest value beside it."""
    top = max((v for _, v in points), default=1.0) * 1.1 or 1.0

    def place(at, value):
        return f"{LEFT + at / until * (WIDTH - LEFT - 20):.1f},{y + PANEL - value / top * PANEL:.1f}"

    least = min((v for _, v in points), default=0.0)
    return [
        f'<text x="{LEFT}" y="{y - 6}">{escape(name)}: {least:.0f} to {top / 1.1:.0f}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 20}" height="{PANEL}" fill="none" stroke="#d0d7de"/>',
        f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end">{top:.0f}</text>',
        f'<text x="{LEFT - 6}" y="{y + PANEL}" text-anchor="end">0</text>',
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="'
        + " ".join(place(at, value) for at, value in points) + '"/>']


def draw(curves, samples, faults, warm_up_s):
    """@curves: their names; @samples: (seconds, {name: value}); @faults: (seconds, name, held)."""
    until = max([at for at, _ in samples] + [1.0])
    height = TOP + len(curves) * (PANEL + GAP) + 10
    bottom = height - GAP - 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        ' font-size="12" fill="#57606a">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="16">A fault a minute, {until / 60:.0f} minutes. Grey: the warm-up, in which the'
        ' gateway is ended again and again. Each mark is a fault; red: it did not hold.</text>',
        f'<rect x="{LEFT}" y="{TOP}" width="{warm_up_s / until * (WIDTH - LEFT - 20):.1f}"'
        f' height="{bottom - TOP}" fill="#f2f2f2"/>']
    for at, name, held in faults:
        x = LEFT + at / until * (WIDTH - LEFT - 20)
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke-width="0.7"'
                     f' stroke="{"#c8c8c8" if held else "#cf222e"}"><title>{escape(name)}</title></line>')
    for i, name in enumerate(curves):
        points = [(at, values[name]) for at, values in samples if name in values]
        lines += _panel(name, points, until, TOP + i * (PANEL + GAP), COLOURS[i % len(COLOURS)])
    return "\n".join([*lines, "</svg>", ""])
