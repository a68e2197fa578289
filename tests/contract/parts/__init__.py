"""The provider suite, part by part."""
