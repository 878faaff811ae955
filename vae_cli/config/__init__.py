"""Configuration: what the options are, how YAML becomes dataclasses."""
