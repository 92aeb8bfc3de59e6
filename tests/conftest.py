"""What all tests share: two tiers of proof, and the folder with the real data.

The quick tier (`make test`) takes samples of whatever is expensive; the full tier
(`make prove`, which sets ``WEFT_PROVE=1``) runs the full counts and the tests marked
``prove`` too. Nothing is drawn by chance in the quick tier: the same inputs every time.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

PROVE = os.environ.get("WEFT_PROVE", "") not in {"", "0"}

# No deadline: a busy machine is no defect. No database: a rerun sees the same examples.
settings.register_profile(
    "quick", max_examples=50, deadline=None, derandomize=True, database=None
)
settings.register_profile(
    "prove", max_examples=2000, deadline=None, derandomize=True, database=None
)
settings.load_profile("prove" if PROVE else "quick")

# Compiled kernels are kept beside what pytest itself keeps, not in the user's cache.
os.environ["WEFT_CACHE"] = str(Path(__file__).parents[1] / ".pytest_cache" / "kernels")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the tests marked ``prove`` unless the full tier was asked for."""
    if PROVE:
        return
    left_out = [item for item in items if item.get_closest_marker("prove")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("prove")]


@pytest.fixture(scope="session")
def count() -> Callable[[int, int], int]:
    """Choose how many cases to try: ``count(100, 2000)`` is 100, under prove 2000."""
    return lambda quick, full: full if PROVE else quick


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the real tables; who asks for it skips where it is missing.

    ``WEFT_DATA`` names it; without that it is ``../shared/data`` beside the checkout.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WEFT_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"the real data is not at {folder}; set WEFT_DATA to its folder")
    return folder
