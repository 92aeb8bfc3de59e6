"""Elementary functions on vectors, one idea per module.

Each is a reduction of the argument to a small interval, a polynomial there, and a way
back. The polynomials are minimax fits of our own, in the weight that makes the error
relative to the function; beside each stand what it approximates, where, and how well,
in units of the result. Lanes do not know of each other: a number gives the same bits
whatever stands beside it. No branches, but for arguments that are hardly ever met.
"""
