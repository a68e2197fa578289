"""What a call that creates a batch or uploads a file may say, at OpenAI."""

from typing import Any

from runner.emulator.openai_chat import json_object
from runner.emulator.openai_rows import CHAT
from runner.emulator.openai_shapes import ApiError

_PARAMETERS = frozenset(
    {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
)


def lifetime_of(anchor: object, seconds: object) -> int | None:
    """Return the seconds a file is kept, if that was said.

    Raises:
        ApiError: for another anchor, or too short or long a time.
    """
    if anchor is None and seconds is None:
        return None
    text = str(seconds)
    if anchor == "created_at" and text.isdigit() and 3600 <= int(text) <= 2_592_000:
        return int(text)
    raise ApiError(400, "Invalid 'expires_after'.", "expires_after", "invalid_value")


def parameters_of(body: bytes, endpoints: tuple[str, ...] = (CHAT,)) -> dict[str, Any]:
    """Read the call that creates a batch.

    Args:
        body: of the call.
        endpoints: those that this service has.

    Raises:
        ApiError: with the first thing that is wrong.
    """
    wanted = json_object(body)
    for name in wanted:
        if name not in _PARAMETERS:
            raise ApiError(400, f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    for name in ("input_file_id", "endpoint", "completion_window"):
        if name not in wanted:
            message = f"Missing required parameter: '{name}'."
            raise ApiError(400, message, name, "missing_required_parameter")
        if not isinstance(wanted[name], str):
            message = f"Invalid type for '{name}': expected a string."
            raise ApiError(400, message, name, "invalid_type")
    if wanted["endpoint"] not in endpoints:
        raise unsupported("endpoint", wanted["endpoint"], "', '".join(endpoints))
    _check_metadata(wanted.get("metadata"))
    after = wanted.get("output_expires_after")
    if after is not None:
        given = after if isinstance(after, dict) else {}
        wanted["output_expires_after"] = lifetime_of(given.get("anchor", ""), given.get("seconds"))
    return wanted


def unsupported(name: str, value: object, allowed: str) -> ApiError:
    """Refuse the value of a parameter."""
    message = f"Invalid value: '{value}'. Supported values are: '{allowed}'."
    return ApiError(400, message, name, "invalid_value")


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        message = "Invalid type for 'metadata': expected an object."
        raise ApiError(400, message, "metadata", "invalid_type")
    if len(metadata) > 16:
        message = "Invalid 'metadata': too many properties. Expected at most 16 properties."
        raise ApiError(400, message, "metadata", "object_above_max_properties")
    for key, value in metadata.items():
        if len(key) > 64:
            message = "Invalid 'metadata': property name too long. Expected at most 64 characters."
            raise ApiError(400, message, "metadata", "property_name_above_max_length")
        if not isinstance(value, str):
            message = f"Invalid type for 'metadata.{key}': expected a string."
            raise ApiError(400, message, f"metadata.{key}", "invalid_type")
        if len(value) > 512:
            message = f"Invalid 'metadata.{key}': string too long. Expected at most 512 characters."
            raise ApiError(400, message, f"metadata.{key}", "string_above_max_length")
