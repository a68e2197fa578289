"""The views of an experiment, one file each."""
