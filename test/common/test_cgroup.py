"""The limits of control groups, of both versions, in the layouts that containers and batch jobs have."""

import pytest

from espnet2_valle.common import cgroup

UNLIMITED = 9223372036854771712  # what version 1 says


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes a process's membership and files of groups."""

    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(cgroup, "MOUNT", tmp_path / "mount")

    def make(membership, files):
        (tmp_path / "membership").write_text(membership)
        for name, content in files.items():
            path = tmp_path / "mount" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")

    return make


@pytest.mark.parametrize(
    ("membership", "files", "cpu", "memory"),
    [
        # A batch job of version 2: its step has no limit, the job has.
        (
            "0::/slurm/job_7/step_0\n",
            {
                "slurm/job_7/step_0/cpu.max": "max 100000",
                "slurm/job_7/step_0/memory.max": "max",
                "slurm/job_7/cpu.max": "150000 100000",
                "slurm/job_7/memory.max": 4 * 2**30,
                "slurm/memory.max": 8 * 2**30,
            },
            1.5,
            4 * 2**30,
        ),
        # A container that sees its own group as the root, though its membership names the host's.
        (
            "0::/docker/abc\n",
            {"cpu.max": "400000 100000", "memory.max": 2**30},
            4.0,
            2**30,
        ),
        # Version 1, with version 2 beside it for other things.
        (
            "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": 50000,
                "cpu,cpuacct/job/cpu.cfs_period_us": 100000,
                "cpu,cpuacct/cpu.cfs_quota_us": -1,
                "cpu,cpuacct/cpu.cfs_period_us": 100000,
                "memory/job/memory.limit_in_bytes": 3 * 2**30,
                "memory/memory.limit_in_bytes": UNLIMITED,
            },
            0.5,
            3 * 2**30,
        ),
        # memory.low protects, it does not limit.
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max", "memory.low": 5}, None, None),
        ("0::/\n", {}, None, None),
    ],
)
def test_the_lowest_limit_of_all_groups_counts(groups, membership, files, cpu, memory):
    groups(membership, files)
    assert cgroup.cpu_limit() == cpu
    assert cgroup.memory_limit() == memory


def test_a_system_without_groups_has_no_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "none")
    assert cgroup.cpu_limit() is cgroup.memory_limit() is None
