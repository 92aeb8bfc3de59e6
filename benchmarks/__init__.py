"""weft side by side with PyTorch, JAX and scikit-learn: ``python -m benchmarks``.

Not part of the package that is installed; run from the root of the repository.
"""
