"""The command's OpenMP threads spin briefly, unless the environment says otherwise."""

import os
import subprocess
import sys

import pytest

from im2tex.utils.thread_waiting import set_brief_waiting

VARIABLES = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "KMP_LIBRARY")
BRIEF = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}


def without_policy():
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


def test_waiting_is_brief_where_the_environment_names_no_policy(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    set_brief_waiting()
    assert {name: os.environ[name] for name in VARIABLES if name in os.environ} == BRIEF


@pytest.mark.parametrize("name", VARIABLES)
def test_policy_of_the_environment_is_kept(name, monkeypatch):
    for other in VARIABLES:
        monkeypatch.setenv(other, "")
        monkeypatch.delenv(other)
    monkeypatch.setenv(name, "1")
    set_brief_waiting()
    assert {other: os.environ[other] for other in VARIABLES if other in os.environ} == {name: "1"}


def test_openmp_of_torch_waits_briefly_in_the_command_and_its_loader_workers():
    program = (
        "import os, sys\n"
        "from im2tex.cli import main\n"
        "assert 'torch' not in sys.modules\n"
        "main(['components', 'encoder'])\n"
        "import torch\n"
        "class Variables(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 1\n"
        "    def __getitem__(self, k): return os.environ['GOMP_SPINCOUNT']\n"
        "print(*torch.utils.data.DataLoader(Variables(), num_workers=1))\n"
    )
    environment = without_policy() | {"OMP_DISPLAY_ENV": "verbose"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "['1000']"
    shown = done.stderr.replace("'", "")  # by libgomp and by LLVM's library
    if "GOMP_SPINCOUNT" in shown:
        assert "GOMP_SPINCOUNT = 1000" in shown
