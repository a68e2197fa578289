"""Answer text in, a judged reading of every question out."""
