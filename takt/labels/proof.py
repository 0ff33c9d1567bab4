"""The proof of a template: draw every case, read it back. The database judges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from takt.labels.decode import read_codes
from takt.labels.picture import Picturer

DPMM = {203: 8, 300: 12, 600: 24}


async def prove(
    picturer: Picturer,
    cases: Sequence[dict[str, Any]],
    on_case: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Rows of `label_proof_cases` → what `record_label_proof` takes as p_results.

    A payload that draws more or less than one label is read as nothing. `on_case` hears how many
    cases are done. Errors: PictureError, ConfigError.
    """
    results = []
    for done, case in enumerate(cases, start=1):
        size = float(case["width_mm"]), float(case["height_mm"])
        pictures = await picturer.render_all(case["payload"], *size, DPMM[case["dpi"]])
        codes = await asyncio.to_thread(read_codes, pictures[0]) if len(pictures) == 1 else []
        results.append({"case_no": case["case_no"], "read": [code.as_dict() for code in codes]})
        on_case(done)
    return results
