"""Which dataclass types which option of which config group.

`configs/<group>/<option>.yaml` carries `name: <name>`, and `GROUPS[group][name]` is
the dataclass that checks it. Several YAML files may share a name: a preset of one's
own for the conv architecture is a file with `name: conv`.
"""

from vae_cli.config import commands, corruption, hardware, parts, schema

GROUPS: dict[str, dict[str, type]] = {
    "dataset": {
        "mnist": schema.DatasetConfig,
        "fashion_mnist": schema.DatasetConfig,
        "cifar10": schema.DatasetConfig,
        "npz": schema.NpzConfig,
        "synthetic": schema.SyntheticConfig,
    },
    "architecture": {
        "conv": parts.ConvConfig,
        "dense": parts.DenseConfig,
        "residual_conv": parts.ResidualConvConfig,
    },
    "likelihood": {
        "bernoulli": parts.LikelihoodConfig,
        "gaussian": parts.GaussianConfig,
        "continuous_bernoulli": parts.LikelihoodConfig,
    },
    "prior": {
        "standard": parts.PriorConfig,
        "mog": parts.MixtureConfig,
        "vamp": parts.VampConfig,
    },
    "hierarchy": {
        "none": parts.HierarchyConfig,
        "two_level": parts.TwoLevelConfig,
    },
    "conditioning": {
        "none": parts.ConditioningConfig,
        "label": parts.LabelConfig,
        "seen": parts.SeenConfig,
    },
    "corruption": {
        "none": corruption.CorruptionConfig,
        "gaussian_noise": corruption.GaussianNoiseConfig,
        "salt_and_pepper": corruption.ShareConfig,
        "masking_noise": corruption.ShareConfig,
        "random_mask": corruption.RandomMaskConfig,
        "half": corruption.HalfConfig,
        "quadrants": corruption.QuadrantsConfig,
        "box": corruption.BoxConfig,
    },
    "objective": {
        "elbo": parts.ObjectiveConfig,
        "iwae": parts.IwaeConfig,
        "perceptual": parts.PerceptualConfig,
        "vae_gan": parts.VaeGanConfig,
    },
    "kl_annealing": {
        "none": schema.KlAnnealingConfig,
        "linear": schema.RampConfig,
        "sigmoid": schema.RampConfig,
        "cyclical": schema.CyclicalConfig,
    },
    "optimizer": {
        "adam": schema.AdamConfig,
        "adamax": schema.AdamConfig,
        "adamw": schema.AdamWConfig,
    },
    "learning_rate_schedule": {
        "constant": schema.LearningRateScheduleConfig,
        "cosine": schema.CosineConfig,
        "step": schema.StepConfig,
    },
    "distribution": {
        "single": hardware.DistributionConfig,
        "mirrored": hardware.MirroredConfig,
        "multi_worker": hardware.MultiWorkerConfig,
        "tpu": hardware.TpuConfig,
    },
}
"""Group -> name -> dataclass."""

PRESETS = ("experiment", "debug")
"""Groups whose files override others and have no dataclass of their own."""

COMMANDS: dict[str, type] = {
    "train": schema.TrainConfig,
    "generate": commands.GenerateConfig,
    "plot_latent": commands.PlotLatentConfig,
    "evaluate": commands.EvaluateConfig,
    "reconstruct": commands.ReconstructConfig,
    "anomaly": commands.AnomalyConfig,
}
"""Primary config file -> dataclass."""
