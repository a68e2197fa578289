"""The pure core: no SDK, no storage, no files, no network, no clock, no dice."""
