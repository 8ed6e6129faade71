"""Draws matrix-vector products under the limits of the machine, as one SVG."""
import html
import math

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 20, 52
# Colours are variables of the page that shows the drawing.
COLORS = {"exact": "var(--purple)", "int16": "var(--blue)", "int8": "var(--orange)", "a8": "var(--green)", "fp32": "var(--ink)"}
HALO = {"paint_order": "stroke", "stroke": "var(--ground)", "stroke_width": 3}  # keeps text apart from lines below it


class Axes:
    """Two logarithmic axes."""

    def __init__(self, x_range, y_range):
        self.x_low, self.x_high = map(math.log10, x_range)
        self.y_low, self.y_high = map(math.log10, y_range)

    def x(self, value):
        return LEFT + (math.log10(value) - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - (math.log10(value) - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - TOP - BOTTOM)


def text(x, y, content, **style):
    attributes = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{html.escape(content)}</text>'


def line(x0, y0, x1, y1, **style):
    attributes = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"{attributes}/>'


def points(runs, arch, shape):
    """(label, precision, is cold, weights per byte, weights per ns): the best run of each name."""
    best = {}
    for run in runs:
        parts = run["name"].split("/")
        if parts[0] not in ("lut_matvec", "level_matvec") or "error" in run or parts[3] != arch or parts[4] != shape:
            continue
        suffix = "/".join(parts[5:])
        if suffix not in ("", "cold") or run.get("weights_per_ns", 0) <= best.get(run["name"], {}).get("weights_per_ns", 0):
            continue
        best[run["name"]] = run
    found = []
    for name, run in sorted(best.items()):
        parts = name.split("/")
        found.append((f"{parts[1]} {parts[2]}", parts[2], name.endswith("/cold"), 1 / run["bytes_per_weight"], run["weights_per_ns"]))
    any_run = next((run for run in best.values() if run.get("x_sgemv", 0) > 0), None)
    if any_run:
        found.append(("fp32 sgemv", "fp32", True, 0.25, any_run["weights_per_ns"] / any_run["x_sgemv"]))
    return found


def roofs(runs):
    """(label, bytes per ns) of reads, and multiply-adds per ns or None."""
    def most(name, counter):
        return max((run[counter] for run in runs if run["name"] == name and counter in run), default=None)

    reads = [("read, 4 MiB again and again", most("read/fp32/native/4096", "gb_per_s")),
             ("read, beyond the caches", most("read/fp32/native/beyond_caches", "gb_per_s"))]
    return [(label, rate) for label, rate in reads if rate], most("multiply_add/fp32/native", "gmac_per_s")


def spread(labels, distance=14):
    """Moves labels (y, ...) apart: those that touch are stacked around their middle."""
    stacks = []

    def top(stack):
        return sum(label[0] for label in stack) / len(stack) - distance * (len(stack) - 1) / 2

    for label in sorted(labels):
        stacks.append([label])
        while len(stacks) > 1 and top(stacks[-1]) < top(stacks[-2]) + distance * len(stacks[-2]):
            last = stacks.pop()
            stacks[-1] += last
    return [(top(stack) + distance * i, *label[1:]) for stack in stacks for i, label in enumerate(stack)]


def chart(runs, arch, shape):
    """The SVG, or a sentence where there is nothing to draw."""
    marks = points(runs, arch, shape)
    if not marks:
        return "<p>No matrix-vector product was measured.</p>"
    reads, compute = roofs(runs)
    x_range = (0.15, 10)
    highest = max([mark[4] for mark in marks] + ([compute] if compute else [])) * 1.6
    axes = Axes(x_range, (min(mark[4] for mark in marks) / 2, highest))
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    out = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Roofline of matrix-vector products" '
           'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="12" fill="var(--ink)">']
    for tick in (0.25, 0.5, 1, 2, 4, 8):
        out.append(line(axes.x(tick), TOP, axes.x(tick), bottom, stroke="var(--line)", stroke_opacity=0.6))
        out.append(text(axes.x(tick), bottom + 16, f"{tick:g}", text_anchor="middle"))
    for exponent in range(math.floor(axes.y_low), math.ceil(axes.y_high) + 1):
        for factor in (1, 2, 5):
            value = factor * 10.0 ** exponent
            if axes.y_low <= math.log10(value) <= axes.y_high:
                out.append(line(LEFT, axes.y(value), right, axes.y(value), stroke="var(--line)", stroke_opacity=0.6))
                out.append(text(LEFT - 8, axes.y(value) + 4, f"{value:g}", text_anchor="end"))
    out.append(text((LEFT + right) / 2, HEIGHT - 10, "weights per byte read", text_anchor="middle"))
    out.append(f'<text transform="translate(16 {(TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">weights per ns</text>')
    top_value, bottom_value = 10 ** axes.y_high, 10 ** axes.y_low
    for label, rate in reads:
        x0, x1 = max(x_range[0], bottom_value / rate), min(x_range[1], top_value / rate)
        out.append(line(axes.x(x0), axes.y(rate * x0), axes.x(x1), axes.y(rate * x1), stroke="var(--muted)", stroke_width=1.5))
        slope = math.degrees(math.atan2(axes.y(rate * x1) - axes.y(rate * x0), axes.x(x1) - axes.x(x0)))
        at = x0 * 1.25
        out.append(f'<text transform="translate({axes.x(at):.1f} {axes.y(rate * at) - 5:.1f}) rotate({slope:.1f})" fill="var(--muted)">'
                   f'{html.escape(label)}: {rate:.0f} GB/s</text>')
    if compute:
        out.append(line(LEFT, axes.y(compute), right, axes.y(compute), stroke="var(--muted)", stroke_width=1.5, stroke_dasharray="6 4"))
        out.append(text(LEFT + 6, axes.y(compute) - 5, f"fp32 multiply-adds: {compute:.0f} per ns", fill="var(--muted)", **HALO))
    labels = []
    for label, precision, is_cold, intensity, speed in marks:
        x, y, color = axes.x(intensity), axes.y(speed), COLORS.get(precision, "var(--ink)")
        fill = color if is_cold else "var(--ground)"
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" stroke="{color}" stroke-width="2" fill="{fill}"/>')
        when = "" if precision == "fp32" else ", cold" if is_cold else ", warm"
        labels.append((y + 4, x + 10, f"{label}{when}: {speed:.3g}", color))
    for y, x, content, color in spread(labels):
        out.append(text(x, y, content, fill=color, **HALO))
    out.append("</svg>")
    return "\n".join(out)
