"""From a bundle to a GPU: engines compiled, tried and measured, and what a server needs to run them."""
