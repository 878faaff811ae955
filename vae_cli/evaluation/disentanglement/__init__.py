"""How well codes and factors of images match: arrays in, numbers out; no model.

Codes are float [N, d], factors int [N, K]: the level of each factor at each image.
"""
