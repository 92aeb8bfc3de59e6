"""Matrix products: what calls of which kernels make one.

A `Product` is a description by shape; `product_calls` makes a plan for it (`plan`). The
kernels know nothing of sizes, so that a few serve all products: register tiles
(`micro`), the loops around them (`multiply`), inner products for few columns (`inner`),
copies of an operand in the order in which it is read (`pack`), shuffles (`lanes`), and
a loop over a batch (`batch`).

An element of C has bits that depend on its row of A, its column of B, on n, k, the
dtype and the target. They do not depend on m, on where the element lies, on tiles or on
threads: register tiles sum up in ascending order of the inner index, with fused
products and sums where the target has them; inner products lane by lane, then all lanes
by a fixed tree, block by block.
"""

from weft.compile.native.products.plan import Product, product_calls, scratch_bytes

__all__ = ["Product", "product_calls", "scratch_bytes"]
