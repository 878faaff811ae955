"""The options that meet, and the words of a command line that choose each."""

AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "architecture": {
        "dense": ("architecture=gated_dense", "architecture.hidden_units=[8]"),
        "conv": ("architecture=conv", "architecture.filters=[2,3]"),
        "residual_conv": (
            "architecture=residual_conv",
            "architecture.filters=[2,3]",
            "architecture.blocks=1",
            "architecture.dense_units=6",
        ),
    },
    "normalization": {
        name: (f"architecture.normalization={name}",)
        for name in ("none", "batch", "layer")
    },
    "dropout": {rate: (f"architecture.dropout={rate}",) for rate in ("0.0", "0.2")},
    "likelihood": {
        name: (f"likelihood={name}",)
        for name in ("bernoulli", "gaussian", "continuous_bernoulli")
    }
    | {
        "mixture of logistics": (
            "likelihood=discretized_logistic",
            "likelihood.mixture=2",
        ),
    },
    "prior": {
        "standard": (),
        "mog": ("prior=mog", "prior.components=3"),
        "vamp from data": (
            "prior=vamp",
            "prior.components=3",
            "prior.initialization=data",
        ),
        # a flow, as iaf
        "realnvp": ("prior=realnvp", "prior.steps=2", "prior.hidden_units=[6]"),
    },
    "posterior": {
        "gaussian": (),
        "iaf": (
            "posterior=iaf",
            "posterior.steps=2",
            "posterior.hidden_units=[6]",
            "posterior.condition_units=5",
        ),
        "planar": (
            "posterior=planar",
            "posterior.steps=2",
            "posterior.condition_units=5",
        ),
    },
    "hierarchy": {
        "none": (),
        "two_level": ("hierarchy=two_level", "hierarchy.hidden_units=[6]"),
        # how many dimensions it has follows from its levels
        "ladder": ("hierarchy=ladder", "latent_dim=null"),
    },
    "latent": {
        "continuous": (),
        # fsq and categorical meet the same code, without a codebook of their own
        "vq": (
            "latent=vq",
            "latent.codes=8",
            "latent.code_dim=2",
            "latent.groups=3",
            "latent.prior_epochs=1",
            "latent.prior_filters=2",
            "latent.prior_layers=1",
            "latent_dim=null",
        ),
    },
    "conditioning": {
        "none": (),
        "label": ("conditioning=label",),
        "label, learned prior": (
            "conditioning=label",
            "conditioning.learned_prior=true",
        ),
        "observed": ("conditioning=observed", "conditioning.hidden_units=[6]"),
    },
    "corruption": {
        "none": (),
        # the others differ from these in where pixels change, not in what meets them
        "gaussian_noise": ("corruption=gaussian_noise",),
        "random_mask": ("corruption=random_mask",),
        "half, any side": ("corruption=half", "corruption.side=random"),
    },
    "pixels": {
        "default": (),
        "observed": ("corruption.loss_on=observed",),
        "missing": ("corruption.loss_on=missing",),
    },
    "objective": {
        "elbo": (),
        "iwae": ("objective=iwae", "objective.importance_samples=2"),
        # whole batches, as factor, dip, mmd and capacity
        "beta_tc": ("objective=beta_tc",),
        "geco": ("objective=geco",),
        "iwae, doubly": (
            "objective=iwae",
            "objective.importance_samples=2",
            "objective.doubly_reparameterized=true",
        ),
        "perceptual": ("objective=perceptual",),
        "vae_gan": ("objective=vae_gan",),
    },
    "annealing": {name: (f"kl_annealing={name}",) for name in ("none", "cyclical")},
    "optimizer": {name: (f"optimizer={name}",) for name in ("adam", "adamax", "adamw")},
    "average": {"none": (), "0.9": ("optimizer.ema_decay=0.9",)},
    "clipping": {"none": (), "1": ("optimizer.clip_norm=1.0",)},
    "schedule": {
        "constant": (),
        "cosine": ("learning_rate_schedule=cosine",),
        "step": ("learning_rate_schedule=step",),
    },
    "pixel values": {
        name: (f"dataset.binarize={name}",)
        for name in ("none", "threshold", "static", "dynamic")
    }
    | {"with noise": ("dataset.dequantize=uniform",)},
    "augmentation": {"none": (), "both": ("dataset.augment=[flip,shift]",)},
    "free bits": {
        "none": (),
        "0.1": ("free_bits=0.1",),
        "1 a level": ("free_bits=1.0", "free_bits_per=level"),
    },
    "precision": {
        name: (f"precision={name}",)
        for name in ("float32", "mixed_bfloat16", "mixed_float16")
    },
    "xla": {"auto": (), "true": ("jit=true",)},
    "replicas": {
        "one": (),
        "two": ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]"),
    },
    "validation": {"20": (), "none": ("dataset.validation_size=0",)},
    # records of MLflow and W&B are sent by another process, from the run folder
    "tracker": {"tensorboard": (), "none": ("tracker=none",)},
    "classes": {"all": (), "two of three": ("dataset.classes=[0,1]",)},
    "memory": {"held": (), "streamed": ("dataset.memory_mb=1",)},
}
