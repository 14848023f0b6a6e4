"""A matplotlib figure that shows itself in a notebook, whatever its backend. Imported where matplotlib is there."""

from __future__ import annotations

import base64
import io

from matplotlib.figure import Figure


class PaperFigure(Figure):
    """As matplotlib's; a notebook shows it without pyplot or a magic line."""

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.savefig(drawn, format="svg")
        content = base64.b64encode(drawn.getvalue()).decode()
        width = round(self.get_figwidth() * 100)
        return f'<img alt="figure" src="data:image/svg+xml;base64,{content}" style="max-width:100%;width:{width}px">'
