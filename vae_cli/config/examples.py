"""What `--help` shows first: command lines, and what they do."""

EXAMPLES = {
    "train": (
        ("vae-train", "a convolutional VAE on MNIST"),
        ("vae-train experiment=quickstart", "recognisable digits in a minute"),
        (
            "vae-train latent_dim=16 beta=4 kl_annealing=cyclical",
            "a beta-VAE with cyclical annealing",
        ),
        (
            "vae-train architecture=dense likelihood=gaussian",
            "a dense VAE with a Gaussian likelihood",
        ),
        ("vae-train dataset=npz dataset.path=images.npz", "your own images"),
        ("vae-train -m latent_dim=2,8 beta=1,4", "four runs in one sweep folder"),
        ("vae-train -m experiment=tune", "hyperparameter search with Optuna"),
        ("vae-train resume=latest", "continue where a run stopped"),
        ("vae-train tracker=mlflow", "also record the run in MLflow"),
        ("vae-train --cfg job", "print the config, run nothing"),
    ),
    "inspect": (
        ("vae-inspect", "what vae-train would do, without options"),
        (
            "vae-inspect dataset=folder dataset.path=photos",
            "your own pictures: sizes, duplicates, classes, what to choose",
        ),
        (
            "vae-inspect experiment=gated_vae measure=false",
            "a recipe, without the training steps that time it",
        ),
        ("vae-inspect run=outputs/my-run", "the images and the model of a run"),
    ),
    "generate": (
        ("vae-generate", "samples of the latest run's prior"),
        ("vae-generate mode=manifold rows=15 columns=15", "the latent plane, decoded"),
        ("vae-generate mode=traversal", "one row per latent dimension"),
        (
            "vae-generate mode=interpolation gif=morph.gif",
            "from one test image to another",
        ),
        (
            "vae-generate run=outputs/my-run num_images=1000 save_npz=samples.npz",
            "images as an array",
        ),
    ),
    "plot_latent": (
        ("vae-plot-latent", "test images of the latest run in latent space"),
        ("vae-plot-latent method=tsne num_points=2000", "t-SNE of many dimensions"),
        (
            "vae-plot-latent run=outputs/my-run save_npz=codes.npz",
            "the codes as arrays",
        ),
    ),
    "evaluate": (
        ("vae-evaluate", "test images of the latest run, 500 samples each"),
        (
            "vae-evaluate importance_samples=5000",
            "as the literature estimates log p(x)",
        ),
        ("vae-evaluate split=validation num_images=1000", "a quick look"),
        ("vae-evaluate generated_images=10000", "also measure sample quality"),
        (
            "vae-evaluate generated_images=10000 prior=fitted importance_samples=null",
            "samples from a density fitted to the codes",
        ),
        (
            "vae-evaluate ais.images=100 ais.temperatures=500 ais.chains=16",
            "annealed importance sampling",
        ),
        ("vae-evaluate run=outputs/a,outputs/b", "a table of runs"),
        (
            "vae-evaluate run=outputs/2026-01-31/10-00-00-sweep",
            "a sweep: mean and deviation over seeds",
        ),
    ),
    "reconstruct": (
        ("vae-reconstruct", "as the latest run was trained"),
        ("vae-reconstruct corruption=gaussian_noise", "denoise test images"),
        ("vae-reconstruct corruption=half", "fill in the lower half"),
        ("vae-reconstruct images=photos", "your own pictures, in a folder"),
        ("vae-reconstruct label=3", "decode as class 3"),
        (
            "vae-reconstruct task=interpolate 'pair=[4,7]'",
            "a path from one test image to another",
        ),
    ),
    "track": (
        ("vae-track tracker=mlflow", "send the latest run to MLflow"),
        (
            "vae-track tracker=mlflow tracker.artifacts=all",
            "also checkpoints and TensorBoard files",
        ),
        (
            "vae-track run=outputs/my-run tracker=wandb tracker.mode=offline",
            "offline files for `wandb sync`",
        ),
    ),
    "encode": (
        ("vae-encode", "test images of the latest run, as CSV"),
        ("vae-encode images=photos output=codes.csv", "your own pictures, by name"),
        ("vae-encode split=all output=codes.npz", "every split, as arrays"),
        ("vae-encode scores=true num_images=1000", "with neg_elbo and other scores"),
    ),
    "explore": (
        ("vae-explore", "the latest run, in the browser"),
        ("vae-explore run=outputs/a,outputs/b", "two runs side by side"),
        (
            "vae-explore open_browser=false port=8801",
            "on a machine without a screen: ssh -L 8801:127.0.0.1:8801 <machine>",
        ),
    ),
    "report": (
        ("vae-report", "the latest run: report.html in its folder"),
        ("vae-report run=outputs/my-run output=my-run.html", "a file to share"),
        (
            "vae-report run=outputs/2026-01-31/10-00-00-sweep/0",
            "one job of a sweep",
        ),
    ),
    "export": (
        ("vae-export", "the latest run, in every format"),
        ("vae-export 'format=[onnx]' pixels=data", "uint8 images in and out"),
        (
            "vae-export 'format=[litert]' quantize=int8 batch_size=1",
            "for a phone: a quarter of the size",
        ),
        ("vae-export 'networks=[sampler]' 'format=[keras]'", "only one network"),
    ),
    "anomaly": (
        ("vae-anomaly", "test images of the latest run: scores, threshold, figures"),
        ("vae-anomaly 'normal=[0,1,2,3,4]'", "all other classes are anomalies"),
        ("vae-anomaly images=photos", "your own pictures, in a folder"),
        ("vae-anomaly score=unexplained_variance", "sort and flag by another score"),
        (
            "vae-anomaly 'normal=[0]' score=by_validation_auroc",
            "by the score of best AUROC on labelled validation anomalies",
        ),
        (
            "vae-anomaly run=outputs/2026-01-31/10-00-00-sweep",
            "a sweep: one table of AUROC",
        ),
    ),
}
"""Command -> (what to type, what it does)."""
