"""The report's figures, a module a family: honest axes, n always shown, colours all can tell apart."""
