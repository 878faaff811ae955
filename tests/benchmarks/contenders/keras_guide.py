"""The plain Keras way: float32 arrays, tf.data, a `train_step` with a tape, `fit`."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tests.benchmarks.contenders.task import Task, Turns


def networks(task: Task) -> tuple[keras.Model, keras.Model]:
    """Return encoder and decoder of the task, as the Keras guide writes them."""
    image = keras.Input((task.size, task.size, 1))
    z = keras.Input((task.latent_dim,))
    if task.model == "conv":
        grid = -(-task.size // 4)
        x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(image)
        x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.Flatten()(x)
        y = layers.Dense(grid * grid * 64, activation="relu")(z)
        y = layers.Reshape((grid, grid, 64))(y)
        for filters in (64, 32):
            y = layers.Conv2DTranspose(
                filters, 3, strides=2, padding="same", activation="relu"
            )(y)
        y = layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(y)
    else:
        x = layers.Flatten()(image)
        y = z
        for units in (500, 500):
            x = layers.Dense(units, activation="relu")(x)
            y = layers.Dense(units, activation="relu")(y)
        y = layers.Dense(task.size**2, activation="sigmoid")(y)
        y = layers.Reshape((task.size, task.size, 1))(y)
    mean = layers.Dense(task.latent_dim)(x)
    log_var = layers.Dense(task.latent_dim)(x)
    return keras.Model(image, [mean, log_var]), keras.Model(z, y)


class GuideVAE(keras.Model):
    """The guide's model: noise, loss and metrics as it has them."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.trackers = [
            keras.metrics.Mean(name=name)
            for name in ("loss", "reconstruction_loss", "kl_loss")
        ]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self.trackers

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(images)
            noise = tf.random.normal(tf.shape(mean))
            pixels = self.decoder(mean + tf.exp(0.5 * log_var) * noise)
            reconstruction = tf.reduce_mean(
                tf.reduce_sum(keras.losses.binary_crossentropy(images, pixels), (1, 2))
            )
            kl = -0.5 * (1 + log_var - tf.square(mean) - tf.exp(log_var))
            kl = tf.reduce_mean(tf.reduce_sum(kl, axis=1))
            loss = reconstruction + kl
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_weights, strict=True)
        )
        for tracker, value in zip(
            self.trackers, (loss, reconstruction, kl), strict=True
        ):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def main() -> None:
    """Train until ended."""
    task = Task.from_command_line()
    if task.precision != "float32":
        keras.mixed_precision.set_global_policy(task.precision)
    images = task.images().astype(np.float32) / 255
    dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(60000)
    vae = GuideVAE(*networks(task))
    vae.compile(keras.optimizers.Adam(1e-3))
    turns = Turns(task)

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            turns.begin()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            turns.end()

    dataset = dataset.batch(task.batch_size)
    if not task.autotune:
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = dataset.with_options(options)
    vae.fit(dataset, epochs=10**6, verbose=0, callbacks=[Clock()])


if __name__ == "__main__":
    main()
