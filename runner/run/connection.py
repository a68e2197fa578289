"""A provider's class, its key and its address: who is asked, and where."""

import importlib
import os
from functools import cached_property

from runner.batches.offline import LineDecoder
from runner.config.permitted import check_addresses
from runner.config.settings import Settings
from runner.core.errors import ConfigError
from runner.providers.base import Provider, Secret, Service, checked_url, key_from
from runner.run.budget import Account
from runner.run.emulator_process import KEY

NO_RUN = "0" * 8
"""Stands for the id of a run that is not there yet, where only its length counts."""
TAG_DIGITS = 8
OPTIONS = (
    "completion_window",
    "project",
    "location",
    "bucket",
    "dataset",
    "source",
    "sink",
    "launcher",
)
"""What a provider's file says of where and how, beside its address."""


class Connection:
    """The service that one run asks, real or emulated; nothing is opened here."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings."""
        self._settings = settings
        self._provider = settings.config.provider

    @cached_property
    def provider_class(self) -> type[Provider]:
        """The provider's class, from the package of providers only.

        Raises:
            ConfigError: there is no such class.
        """
        target = self._provider._target_
        module, _, name = target.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            raise ConfigError(f"provider._target_: {target} does not exist") from None
        if not isinstance(found, type) or not hasattr(found, "settled"):
            raise ConfigError(f"provider._target_: {target} is no provider")
        made: type[Provider] = found
        return made

    def tag(self, experiment_id: str) -> str:
        """Return what this run's custom_ids begin with at the provider; a letter comes first."""
        return f"c{experiment_id[-TAG_DIGITS:]}-" if self.provider_class.tagged else ""

    def client(self, service: Service, experiment_id: str) -> Provider:
        """Return a client for a service; it connects when it is first used."""
        tag = self.tag(experiment_id)
        return self.provider_class(service, self._settings.experiment.model, tag)

    def offline(self, experiment_id: str = NO_RUN) -> Provider:
        """Return a client for its pure translations; it is never connected."""
        return self.client(self.service(self.provider_class.default_base_url, None), experiment_id)

    def decoder(self, experiment_id: str | None = None) -> LineDecoder:
        """Return what reads this provider's result lines in another process.

        Args:
            experiment_id: whose tag the custom_ids carry; None: they are taken as they are.
        """
        service = self.service(self.provider_class.default_base_url, None)
        tag = "" if experiment_id is None else self.tag(experiment_id)
        return LineDecoder(self.provider_class, service, self._settings.experiment.model, tag)

    def service(self, base_url: str, key: Secret | None, **instead: str) -> Service:
        """Return a service at an address.

        Args:
            base_url: where it is.
            key: what it takes; None: nothing is ever sent there.
            instead: options in place of those in the provider's file.
        """
        provider = self._provider
        options: dict[str, str | None] = {name: getattr(provider, name) for name in OPTIONS}
        return Service(
            base_url=base_url,
            key_variable=provider.api_key_env,
            key=key,
            timeout_seconds=provider.timeout_seconds,
            options=options | instead,
            slurm={k: v for k, v in vars(provider.slurm).items() if v is not None},
        )

    def emulated(self, address: str) -> Service:
        """Return where the emulator shows this provider, with everything there that it needs."""
        place = self._provider.location or "anywhere"
        return self.service(
            address + (self._provider.emulator_path or ""),
            Secret(KEY),
            project="emulated",
            bucket=f"emulated-{place}",
            dataset=f"emulated_{place.replace('-', '_')}",
        )

    def live(self) -> Service:
        """Return where the real service is.

        Raises:
            ConfigError: no key, or an address that keys must not be sent to, or that only a file
                names.
        """
        check_addresses(self._settings, self.provider_class)
        service, where = self._addressed()
        if missing := self.provider_class.missing(service):
            provider = self._provider
            instead = ", or rehearse free of charge with service=emulated"
            raise ConfigError(
                f"provider={provider.name}: {missing}{'' if provider.emulator_path is None else instead}"
            )
        if service.base_url or self.provider_class.default_base_url:
            checked_url(service.base_url, where)
        return service

    @property
    def missing(self) -> str | None:
        """What has to be set before the real service can be used; None when all is there."""
        return self.provider_class.missing(self._addressed()[0])

    @cached_property
    def account(self) -> Account:
        """Whose limits this run is held to; a rehearsal, to those of the real service."""
        provider, service = self._provider, self._addressed()[0]
        where = f"{provider._target_} {service.base_url} {provider.project or ''}"
        return Account(where.strip(), provider.api_key_env, provider.model)

    def _addressed(self) -> tuple[Service, str]:
        """Return the real service, and the setting that says where it is."""
        provider = self._provider
        variable = self.provider_class.base_url_variable
        where, url = "provider.base_url", provider.base_url
        if url is None and os.environ.get(variable):
            where, url = variable, os.environ[variable]
        url = url or self.provider_class.default_base_url
        return self.service(url, key_from(provider.api_key_env)), where
