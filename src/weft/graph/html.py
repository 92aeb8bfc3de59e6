"""A table as HTML, for notebooks: every cell is escaped, nothing is executed."""

from collections.abc import Sequence
from html import escape


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Return a table as HTML; its first column stands left, the others right.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequence of str
    caption : str

    Returns
    -------
    str

    Examples
    --------
    >>> print(table(["a"], [["<b>"]]))
    <table><thead><tr><th style="text-align:left">a</th></tr></thead><tbody>
    <tr><td style="text-align:left">&lt;b&gt;</td></tr>
    </tbody></table>
    """

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ["left", *["right"] * (len(cells) - 1)]
        inside = "".join(
            f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        return f"<tr>{inside}</tr>"

    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "".join(f"{row(cells, 'td')}\n" for cells in rows)
    return (
        f"<table>{said}<thead>{row(head, 'th')}</thead><tbody>\n{body}</tbody></table>"
    )
