"""Run folders: created once, explaining themselves, resumable."""
