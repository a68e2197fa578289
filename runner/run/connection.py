"""A provider's class, its key and its address: who is asked, and where."""

import os
from dataclasses import replace
from functools import cached_property

from runner.batches.offline import LineDecoder
from runner.config.options import provider_class, told
from runner.config.permitted import check_addresses
from runner.config.settings import Settings
from runner.core.errors import ConfigError
from runner.core.model import Model
from runner.providers.base import Options, Provider, Secret, Service, checked_url, key_from
from runner.run.budget import Account
from runner.run.emulator_process import KEY

NO_RUN = "0" * 8
"""Stands for the id of a run that is not there yet, where only its length counts."""
TAG_DIGITS = 8


class Connection:
    """The service that one run asks, real or emulated; nothing is opened here."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings."""
        self._settings = settings
        self._provider = settings.config.provider

    @cached_property
    def provider_class(self) -> type[Provider]:
        """The provider's class.

        Raises:
            ConfigError: there is no such class.
        """
        return provider_class(self._provider._target_)

    @cached_property
    def _options(self) -> Options:
        return told(self._provider)

    def tag(self, experiment_id: str) -> str:
        """Return what this run's custom_ids begin with at the provider; a letter comes first."""
        return f"c{experiment_id[-TAG_DIGITS:]}-" if self.provider_class.tagged else ""

    def client(self, service: Service, experiment_id: str, model: Model | None = None) -> Provider:
        """Return a client for a service; it connects when it is first used."""
        model = model or self._settings.experiment.model
        return self.provider_class(service, model, self.tag(experiment_id))

    def offline(self, experiment_id: str = NO_RUN, model: Model | None = None) -> Provider:
        """Return a client for its pure translations; it is never connected.

        Args:
            experiment_id: whose tag the custom_ids carry.
            model: as it is asked; None: with the settings that all requests share.
        """
        service = self.service(self.provider_class.default_base_url, None)
        return self.client(service, experiment_id, model)

    def decoder(self, experiment_id: str | None = None) -> LineDecoder:
        """Return what reads this provider's result lines in another process.

        Args:
            experiment_id: whose tag the custom_ids carry; None: they are taken as they are.
        """
        service = self.service(self.provider_class.default_base_url, None)
        tag = "" if experiment_id is None else self.tag(experiment_id)
        return LineDecoder(self.provider_class, service, self._settings.experiment.model, tag)

    def service(self, base_url: str, key: Secret | None, options: Options | None = None) -> Service:
        """Return a service at an address.

        Args:
            base_url: where it is.
            key: what it takes; None: nothing is ever sent there.
            options: in place of those in the provider's file.
        """
        provider = self._provider
        return Service(
            base_url=base_url,
            key_variable=provider.api_key_env,
            key=key,
            timeout_seconds=provider.timeout_seconds,
            options=self._options if options is None else options,
        )

    def emulated(self, address: str) -> Service:
        """Return where the emulator shows this provider, with everything there that it needs."""
        url = address + (self._provider.emulator_path or "")
        return self.service(url, Secret(KEY), self._options.emulated())

    def live(self) -> Service:
        """Return where the real service is.

        Raises:
            ConfigError: no key, or an address that keys must not be sent to, or that only a file
                names.
        """
        check_addresses(self._settings, self.provider_class)
        service, where = self._addressed()
        if missing := self._missing_of(service):
            provider = self._provider
            instead = ", or rehearse free of charge with service=emulated"
            raise ConfigError(
                f"provider={provider.name}: {missing}{'' if self.provider_class.no_emulator else instead}"
            )
        if service.base_url or self.provider_class.default_base_url:
            checked_url(service.base_url, where)
        return service

    @property
    def missing(self) -> str | None:
        """What has to be set before the real service can be used; None when all is there."""
        return self._missing_of(self._addressed()[0])

    def _missing_of(self, service: Service) -> str | None:
        if missing := self.provider_class.missing(service):
            return missing
        absent = {name: v for name, v in self._provider.headers.items() if not os.environ.get(v)}
        for name, variable in absent.items():
            return f"no value for the header {name}: set the environment variable {variable}"
        return None

    @cached_property
    def account(self) -> Account:
        """Whose limits this run is held to; a rehearsal, to those of the real service."""
        provider, service = self._provider, self._addressed()[0]
        where = f"{provider._target_} {service.base_url} {service.options.account}"
        return Account(where.strip(), provider.api_key_env, provider.model)

    def _addressed(self) -> tuple[Service, str]:
        """Return the real service, and the setting that says where it is."""
        provider = self._provider
        variable = self.provider_class.base_url_variable
        where, url = "provider.base_url", provider.base_url
        if url is None and os.environ.get(variable):
            where, url = variable, os.environ[variable]
        url = url or self.provider_class.default_base_url
        found = {name: key_from(variable) for name, variable in provider.headers.items()}
        headers = {name: value for name, value in found.items() if value is not None}
        key = key_from(provider.api_key_env)
        if key is not None:
            key = Secret(key.reveal(), headers.values())
        return replace(self.service(url, key), headers=headers), where
