"""The machine's own matrix product in TensorFlow, which the others are held against."""

import json
import sys
import time

import tensorflow as tf

SIZE = 2048
REPEATS = 20


def main() -> None:
    """Report GFLOP/s at each turn, the best of some."""
    types = {"float32": tf.float32, "bfloat16": tf.bfloat16}
    a = {n: tf.cast(tf.random.normal((SIZE, SIZE)), t) for n, t in types.items()}
    product = tf.function(lambda x: tf.matmul(x, x))
    while sys.stdin.readline():
        found = {}
        for name, values in a.items():
            best = float("inf")
            for _ in range(REPEATS):
                began = time.perf_counter()
                product(values).numpy()
                best = min(best, time.perf_counter() - began)
            found[name] = 2 * SIZE**3 / best / 1e9
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
