"""Speed side by side: python -m tests.benchmarks speed"""

import sys
from statistics import median

from tests.benchmarks.contenders.task import Task
from tests.benchmarks.rounds import Contender, alternate, ratio

CONV = Task(model="conv", latent_dim=2, count=6_400)
DENSE = Task(model="dense", latent_dim=20, count=25_600)


def speed(which: str, rounds: int) -> None:
    from dataclasses import replace

    base = CONV if which == "conv" else DENSE
    own = "vae-cli"
    contenders = [
        Contender("matrix product", "matrix_product"),
        Contender(own, "product", base),
        *(
            [
                Contender(
                    own + " bf16", "product", replace(base, precision="mixed_bfloat16")
                )
            ]
            if which == "conv"
            else []
        ),
        Contender("Keras guide", "keras_guide", base),
        Contender("PyTorch eager", "torch_eager", base),
        *(
            [
                Contender("pythae", "pythae_trainer", base),
                Contender("vae-cli 512", "product", replace(base, batch_size=512)),
            ]
            if which == "dense"
            else []
        ),
    ]
    lines = alternate(contenders, rounds)
    gflops = median(line["float32"] for line in lines.pop("matrix product"))
    print(f"matrix product {gflops:.0f} GFLOP/s")
    speeds = {k: [l["images_per_second"] for l in v] for k, v in lines.items()}
    for label, values in speeds.items():
        print("   raw", [round(v) for v in values])
        m = median(values)
        own_speed = m * base.operations / 1e9
        print(
            f"{label:16} {m:8,.0f} img/s {own_speed:6.0f} GFLOP/s {own_speed / gflops:5.0%}  peak {max(l['peak_mb'] for l in lines[label]):,.0f} MB; vae-cli: {ratio(speeds[own], values)}  this/guide {ratio(values, speeds['Keras guide'])}"
        )


speed(sys.argv[1], int(sys.argv[2]))
