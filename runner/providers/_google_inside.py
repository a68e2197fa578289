"""What is used inside Google's packages, for want of a public way; tried with the versions in the test.

Each function says what goes wrong without it. `tests/unit/test_insides_of_libraries.py` names the
versions.
"""

from typing import Any


def http_of(client: Any) -> Any:
    """Return the `requests` session of an Aiplatform client's REST transport.

    There is no other way to keep it from following redirections and reading proxies' credentials.
    """
    return vars(client.transport)["_session"]


def ask_for_no_bucket_metadata(client: Any) -> None:
    """Keep a Cloud Storage client from asking for each bucket's metadata by itself, again and again."""
    vars(client)["_bucket_metadata_cache"] = None


def load_in_pieces(size: int) -> None:
    """Let BigQuery upload files in pieces of so many bytes; otherwise it holds 100 MB in memory."""
    from google.cloud import bigquery

    vars(bigquery.client)["_DEFAULT_CHUNKSIZE"] = size
