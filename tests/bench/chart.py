# SPDX-License-Identifier: GPL-2.0
"""The chart of the README: for each group of rows, our figure as a fraction of the in-tree
driver's."""

import fnmatch
import html

# The title of each group, and the rows it averages. A group without figures is left out.
GROUPS = (
    ("Send a packet, active-backup", "packet/tx/active-backup/*"),
    ("Send a packet, balance-rr", "packet/tx/balance-rr/*"),
    ("Send a packet, balance-xor", "packet/tx/balance-xor:*"),
    ("Send a packet, 802.3ad", "packet/tx/802.3ad:*"),
    ("Send a packet, broadcast", "packet/tx/broadcast/*"),
    ("Receive a packet", "packet/rx/*"),
    ("Create a bond", "scale/create/*"),
    ("Enslave a device", "scale/enslave/*"),
    ("Delete a bond", "scale/delete/*"),
    ("Memory of a bond", "scale/memory/both/*"),
    ("Idle, 1000 bonds", "scale/idle/instructions/1000"),
    ("Fail over 100 bonds at once", "scale/failover/instructions"),
    ("Packets lost in a failover", "failover/lost/*"),
)
LEFT, WIDTH, RIGHT, LINE, TOP = 230, 420, 90, 26, 64

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .quiet { fill: #59636e; font-size: 12px }
  .ours { fill: #0969da } .worse { fill: #bc4c00 } .line { stroke: #59636e; stroke-dasharray: 3 3 }
  .back { fill: #eaeef2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .back { fill: #262c36 }
    .ours { fill: #4493f8 } .worse { fill: #f0883e } .line { stroke: #9198a1 }
  }
"""


def groups(rows):
    """(title, ratio) of each group: the sum of our figures by the in-tree driver's, over the rows
    that both have.

    Over InfiniBand the fabric's threads dominate, and their cost varies: those rows are left out.
    """
    for title, pattern in GROUPS:
        both = [row for row in rows if fnmatch.fnmatchcase(row.name, pattern)
                and ":ipoib" not in row.name and row.ours is not None and row.intree is not None]
        total = sum(row.intree for row in both)
        if total:
            yield title, sum(row.ours for row in both) / total


def draw(rows):
    bars = list(groups(rows))
    scale = WIDTH / max([1.1] + [ratio for _, ratio in bars])
    height = TOP + LINE * len(bars) + 16
    full = LEFT + scale
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" '
             f'viewBox="0 0 {LEFT + WIDTH + RIGHT} {height}" role="img" aria-labelledby="title">',
             '<title id="title">Cost of our driver as a part of the cost of the in-tree driver</title>',
             f"<style>{STYLE}</style>",
             '<text x="12" y="22" font-weight="600">Ours, as a part of the in-tree driver\'s (shorter is better; packets: above the floor)</text>',
             f'<text class="quiet" x="{full:.0f}" y="{TOP - 14}" text-anchor="middle">in-tree = 1</text>']
    for place, (title, ratio) in enumerate(bars):
        y = TOP + LINE * place
        lines += [f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{html.escape(title)}</text>',
                  f'<rect class="back" x="{LEFT}" y="{y + 3}" width="{scale:.1f}" height="16" rx="2"/>',
                  f'<rect class="{"ours" if ratio <= 1 else "worse"}" x="{LEFT}" y="{y + 3}" '
                  f'width="{max(ratio * scale, 1):.1f}" height="16" rx="2"/>',
                  f'<text x="{LEFT + max(ratio * scale, 1) + 6:.1f}" y="{y + 15}">{ratio:.2f}</text>']
    lines += [f'<line class="line" x1="{full:.1f}" x2="{full:.1f}" y1="{TOP - 8}" y2="{height - 12}"/>', "</svg>"]
    return "\n".join(lines) + "\n"
