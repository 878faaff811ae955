"""Architectures: an encoder and a decoder under one name, one module for each.

An architecture is a class that is built from its options and gives two functional
Keras models:

- `encoder(image_shape, latent_dim)`: float32 [B, H, W, C] in [0, 1] -> a dict of `mean`
  and `log_var`, [B, latent_dim] each. What enters the layer named `mean` is what a
  hierarchy takes for the image's features, [B, F].
- `decoder(output_shape, latent_dim)`: float32 [B, latent_dim] -> [B, *output_shape],
  what the likelihood takes; `output_shape` is (H, W, C * outputs_per_channel). A layer
  named `outputs` with a bias starts at the training mean, or where
  `Likelihood.starting_outputs` says.

One whose options say `takes_ladder` also gives `ladder(image_shape)`, the networks of
`hierarchy=ladder` at the sizes that the options' `ladder_sizes` name: a
`LadderNetworks` of `vae_cli.models.ladder_sizes`, with features of the image
from the bottom up, and a state that grows from size to size on the way down.

One whose options' `grid(image_shape)` is not None also gives what discrete codes at the
positions of that grid need: `grid_features(image, channels)`, [B, h, w, channels], and
`decoder_from_grid(grid, output_shape)`.

All architectures have the options `activation`, `normalization`, `dropout` and `l2`.
`hidden(x, layer, config)` of `vae_cli.models.layers` applies the first three, and
`kernel_regularizer=regularizer(config)` the last; one that is set and applied by no
layer is refused.

`checked_encoder` and `checked_decoder` say what is missing. Exported networks must open
in plain Keras, so nothing but layers and operations of Keras may end up in them.
"""

from vae_cli.models.architectures.base import Architecture
from vae_cli.models.architectures.conv import Conv
from vae_cli.models.architectures.dense import Dense
from vae_cli.models.architectures.residual_conv import ResidualConv

__all__ = ["Architecture", "Conv", "Dense", "ResidualConv"]
