"""Variational autoencoders from the command line, on TensorFlow and Keras."""

__version__ = "0.1.0"
