"""The console commands: typed config in, library call, files out."""
