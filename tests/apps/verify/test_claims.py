"""The claims hold, and each of them can fail."""

from collections.abc import Callable

import pytest
from apps.verify.mutations import MUTATIONS, Mutation

from weft.apps.verify import CLAIMS, SECTIONS, chosen, judge, named, section_of
