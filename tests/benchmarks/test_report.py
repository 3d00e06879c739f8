"""Results as tables."""

from __future__ import annotations

import re

from benchmarks.report import table


def test_a_bar_in_a_cell_parts_no_cells():
    lines = table(["measure", "mean"], [["|I| of a noun, of |I| of others", "45.3 %"]])
    assert lines[1] == "|---|---|"
    assert lines[2] == r"| \|I\| of a noun, of \|I\| of others | 45.3 % |"
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
