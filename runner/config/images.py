"""The pictures that messages show: found beside the experiment, and checked before anything is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from runner.config import options
from runner.config.factors import beside
from runner.config.schema import ProviderConfig
from runner.core.errors import ConfigError
from runner.core.expand import combinations
from runner.core.images import ImageRules, header
from runner.core.model import Experiment, Image
from runner.core.prompt import images_in, placeholders, values_of


def images_of(
    experiment: Experiment, provider: ProviderConfig, folders: Sequence[Path]
) -> dict[str, Image]:
    """Return the pictures of all requests, by what a message says.

    Args:
        experiment: its messages name what there is.
        provider: says which pictures its model takes.
        folders: the configuration's, the first one first.

    Raises:
        ConfigError: naming the message, and the levels where it is one of theirs.
    """
    if not any(message.images for message in experiment.messages):
        return {}
    finder = _Finder(experiment, provider, _rules(experiment, provider), folders)
    for used in finder.combinations():
        finder.look_at(used)
    return finder.found


def _rules(experiment: Experiment, provider: ProviderConfig) -> ImageRules:
    """Return which pictures may be sent.

    Raises:
        ConfigError: none may.
    """
    place = next(n for n, message in enumerate(experiment.messages) if message.images)
    where = f"messages[{place}].images"
    row = provider.models[0] if provider.models else None
    takes = provider.images if row is None or row.images is None else row.images
    rules = options.dialect(provider).images
    if rules is None:
        raise ConfigError(f"{where}: provider={provider.name} has no way to be sent pictures")
    if not takes:
        raise ConfigError(
            f"{where}: provider/{provider.name}.yaml does not say that {provider.model} takes pictures: "
            "ask one that does (provider=openai, anthropic or gemini), or, if it does, say images: "
            "true there or in the model's row"
        )
    return rules


@dataclass(slots=True)
class _Finder:
    """Looks at each picture once, and at each combination of them."""

    experiment: Experiment
    provider: ProviderConfig
    rules: ImageRules
    folders: Sequence[Path]
    found: dict[str, Image] = field(default_factory=dict)

    def combinations(self) -> Iterator[dict[str, str]]:
        """Yield the levels that come together, of those factors that pictures name, each once."""
        entries = [entry for message in self.experiment.messages for entry in message.images]
        named = {name.partition(".")[0] for entry in entries for name in placeholders(entry)}
        places = [(n, name) for n, name in enumerate(self.experiment.factors) if name in named]
        seen = dict.fromkeys(
            tuple(levels[place] for place, _ in places) for levels in combinations(self.experiment)
        )
        for levels in seen:
            yield dict(zip((name for _, name in places), levels, strict=True))

    def look_at(self, levels: dict[str, str]) -> None:
        """Look at the pictures of one request."""
        factors = self.experiment.factors
        values = values_of(
            (factors[name], factors[name].levels[id_]) for name, id_ in levels.items()
        )
        whose = "".join(f", {name} {id_}" for name, id_ in levels.items())
        together: list[Image] = []
        for place, message in enumerate(self.experiment.messages):
            for number, name in enumerate(images_in(message, values, place)):
                where = f"messages[{place}].images[{number}]{whose}"
                if name not in self.found:
                    self.found[name] = self._image(name, where)
                together.append(self.found[name])
        rules, size = self.rules, sum(image.bytes for image in together)
        if len(together) > rules.most or size > rules.most_bytes_together:
            raise ConfigError(
                f"messages{whose}: {len(together)} pictures of {size:,} bytes in one request; allowed: "
                f"{rules.most} of {rules.most_bytes_together:,} ({rules.source})"
            )

    def _image(self, name: str, where: str) -> Image:
        image = self._address(name, where) if "://" in name else self._file(name, where)
        tokens = self.rules.tokens(self.experiment.model, image)
        return replace(image, tokens=tokens)

    def _address(self, name: str, where: str) -> Image:
        begins = " or ".join(f"{begin}…" for begin in self.rules.addresses)
        known = f", or {begins} without a name or password in it" if begins else ""
        is_known = name.startswith(self.rules.addresses) and name.isprintable() and " " not in name
        parts = urlsplit(name) if is_known else None
        if parts is None or not parts.hostname or parts.username or parts.password:
            raise ConfigError(
                f"{where}: {name!r}; allowed for provider={self.provider.name}: a file beside the "
                f"experiment's own{known}"
            )
        ending = parts.path.rpartition(".")[2].lower()
        if parts.scheme == "gs" and {"jpg": "jpeg"}.get(ending, ending) not in self.rules.kinds:
            kinds = ", ".join(self.rules.kinds)
            raise ConfigError(f"{where}: {name!r} has to end as what it is; allowed: {kinds}")
        return Image(name=name)

    def _file(self, name: str, where: str) -> Image:
        if refused := options.told(self.provider).no_image_files:
            raise ConfigError(f"{where}: {refused}")
        path = beside(name, self.folders, where)
        rules = self.rules
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size <= rules.most_bytes else b""
        except FileNotFoundError:
            raise ConfigError(f"{where}: {path} does not exist") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where}: {path} cannot be read ({error})") from None
        if size > rules.most_bytes:
            raise ConfigError(
                f"{where}: {path} has {size:,} bytes; allowed for provider={self.provider.name}: "
                f"{rules.most_bytes:,} ({rules.source}): make it smaller"
            )
        kinds = ", ".join(rules.kinds)
        read = header(data)
        if read is None or read[0] not in rules.kinds:
            what = "is empty" if not data else f"is a {read[0]}" if read else "is no picture"
            raise ConfigError(
                f"{where}: {path} {what}; allowed for provider={self.provider.name}: {kinds}, as its "
                "first bytes say"
            )
        kind, width, height = read
        if rules.most_pixels is not None and max(width, height) > rules.most_pixels:
            raise ConfigError(
                f"{where}: {path} has {width} x {height} pixels; allowed for provider="
                f"{self.provider.name}: {rules.most_pixels} a side ({rules.source}): make it smaller"
            )
        digest = sha256(data).hexdigest()
        return Image(
            name=name,
            kind=kind,
            width=width,
            height=height,
            bytes=len(data),
            sha256=digest,
            path=str(path),
        )
