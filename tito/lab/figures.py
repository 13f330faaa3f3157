"""Pictures in a notebook, with words for readers who cannot see them."""

import base64
import io
from typing import Any

from tito.lab.shell import current_shell


def show(figure: Any, alt: str) -> None:
    """Show a matplotlib figure in the notebook with `alt` as its text for readers who cannot see it.

    Outside a notebook the figure is only closed, so a module runs as a script without a screen.

    Example:
        >>> import matplotlib.figure
        >>> show(matplotlib.figure.Figure(), alt="an empty figure")
    """
    import matplotlib.pyplot as plt

    if current_shell() is not None:
        from IPython.display import HTML, display

        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(image.getvalue()).decode()
        escaped = alt.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        display(HTML(f'<img alt="{escaped}" src="data:image/png;base64,{data}"/>'))
    plt.close(figure)
