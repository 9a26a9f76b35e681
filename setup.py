"""Everything is in pyproject.toml, but this: a wheel carries `configs/` as `hvp/configs/`."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copies the configurations beside the modules; `hvp.config_files` finds them there."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree("configs", Path(self.build_lib, "hvp/configs"), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConfigs})
