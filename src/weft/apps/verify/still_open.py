"""Claims that have no check yet: their titles, so that nobody thinks they are done."""

from weft.apps.verify.claim import Claim

STILL_OPEN: tuple[Claim, ...] = tuple(
    Claim(f"S{number}", title)
    for number, title in {
        2: "hidden layers learn features, the output is linear in them",
        3: "features may be generic, or guided by experts",
        4: "convexity is given up",
        11: "specify a model and a smooth cost, and descend",
        13: "a loss is a negative log-likelihood",
        15: "stochastic gradient descent on minibatches",
        16: "no guarantee to converge; the start matters",
        17: "small random weights, small biases",
        31: "the variance, as a notebook",
        33: "many hidden units do about as well as rectifiers",
        35: "an active rectifier has slope 1 and no second-order effect",
        36: "a bias of 0.1 makes rectifiers active at first",
        37: "absolute value, leaky and parametric rectifiers",
        38: "close to linear is easy to optimise",
        39: "sigmoid hidden units saturate",
        41: "activations, drawn",
        42: "cosine units on MNIST",
        45: "one hidden layer can represent a function, but need not learn it",
        46: "shallow networks may need exponential width",
        47: "2^(2^n) binary functions",
        48: "regions exponential in the depth",
        49: "absolute value units fold space",
        50: "the exponential advantage of depth, drawn",
        51: "depth as a prior",
        52: "accuracy rises with depth",
        53: "large shallow models overfit more",
        54: "convolutions and recurrences",
        55: "skip connections",
        56: "a playground",
        85: "the roadmap in the documents",
    }.items()
)
