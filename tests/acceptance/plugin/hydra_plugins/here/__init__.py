"""A launcher that runs every job in a process of its own on this machine, through submitit.

It has the shape of hydra-submitit-launcher, which is not installed for the tests: a launcher slows
every start.
"""

import time

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import run_job, setup_globals
from hydra.plugins.launcher import Launcher


class Here(Launcher):
    def setup(self, *, hydra_context, task_function, config) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def __call__(self, words, number, state):
        Singleton.set_state(state)
        setup_globals()
        config = self.context.config_loader.load_sweep_config(self.config, words)
        config.hydra.job.num = number
        return run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    def launch(self, job_overrides, initial_job_idx):
        import submitit

        executor = submitit.LocalExecutor(f"{self.config.hydra.sweep.dir}/jobs")
        state, count = Singleton.get_state(), len(job_overrides)
        jobs = executor.map_array(self, map(list, job_overrides), range(count), [state] * count)
        while any(job._process.poll() is None for job in jobs):
            time.sleep(0.1)
        return jobs


ConfigStore.instance().store(
    group="hydra/launcher", name="here", node={"_target_": "hydra_plugins.here.Here"}
)
