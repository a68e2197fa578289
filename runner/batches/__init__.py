"""One batch on its way: the request file out, the result file in."""
