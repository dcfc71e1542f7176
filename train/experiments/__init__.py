"""The paper's experiments, repeated at the scale of the data at hand."""
