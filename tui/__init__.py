"""The dashboard: it reads ledgers, and asks a runner to act; it never calls a provider."""
