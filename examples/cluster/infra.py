"""A cluster on EC2, from its descriptor: a master and two workers, an agent on each, and three environments."""

from nixgen import (
    Environment,
    Hardening,
    HttpCheck,
    Overlay,
    Package,
    Port,
    Project,
    Service,
    Source,
    Test,
    TmpfilesRule,
    User,
    mk_force,
    read_descriptor,
)

python = Package("python3")

agent = Service(
    "agent",
    description="Tells others how this machine is",
    command=[python.program, Source("agent") / "agent.py"],
    environment={"INTERVAL": "60"},
    ports=[Port(9100, name="metrics")],
    health=HttpCheck("/metrics", contains="load1"),
    user=User("agent"),
    # writable: the folder of its last answer, and nothing else
    hardening=Hardening(writable=["/var/spool/agent"]),
)
common = {
    "services": [agent],
    "packages": [Package("curl")],
    "tmpfiles": [TmpfilesRule("/var/spool/agent", mode="0750", user="agent", group="agent")],
}

machines, clusters = read_descriptor("machine.json", masters=common, workers=common)
master, worker, _ = machines

agents = Test(
    "agents",
    machines=[master, worker],
    script="""\
start_all()

for machine in (master_0, worker_0):
    machine.wait_for_unit("agent.service")
    machine.wait_for_open_port(9100)

with subtest("others can ask"):
    assert "load1 " in worker_0.succeed("curl -fsS http://master-0:9100/")

with subtest("it writes where it may"):
    master_0.succeed("test -s /var/spool/agent/last")
    assert master_0.succeed("stat -c '%U %a' /var/spool/agent") == "agent 750\\n"

with subtest("it is closed otherwise"):
    limits = master_0.succeed("systemctl show agent -p ProtectSystem -p NoNewPrivileges -p CapabilityBoundingSet")
    assert {"ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="} <= set(limits.splitlines()), limits
""",
)

project = Project(
    "cluster",
    machines=machines,
    clusters=clusters,
    tests=[agents],
    environments=[
        Environment(
            "dev", variables={"INTERVAL": "5"}, options={"networking.domain": "dev.example.org"}
        ),
        Environment("staging", options={"networking.domain": "staging.example.org"}),
        Environment(
            "prod",
            options={"networking.domain": "example.org"},
            overlays=[
                Overlay(
                    master, options={"boot.kernel.sysctl": {"net.core.somaxconn": mk_force(4096)}}
                )
            ],
        ),
    ],
)
