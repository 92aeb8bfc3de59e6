"""Matrix products: what calls of which kernels make one.

A `Product` is a description by shape; `product_calls` makes a plan for it (`plan`). The
kernels know nothing of sizes, so that a few serve all products: register tiles
(`micro`), the loops around them (`multiply`), copies of an operand in the order in
which it is read (`pack`), and a loop over a batch (`batch`).

Every element is summed up in ascending order of the inner index, with fused products
and sums where the target has them. So its bits depend on its row of A, its column of B,
the dtype and the target; not on where it lies, on tiles or on threads.
"""

from weft.compile.native.products.plan import Product, product_calls, scratch_bytes

__all__ = ["Product", "product_calls", "scratch_bytes"]
