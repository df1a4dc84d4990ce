"""An API that needs two secrets, and two tests that make their values (docs/secrets.md)."""

from nixgen import (
    Generated,
    HttpCheck,
    Machine,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    Test,
)

# On a real machine somebody puts these files there: an operator, sops-nix, agenix or systemd.
api_token = Secret("api-token")  # /run/secrets/api-token
session_key = Secret("session-key", file="/var/lib/keys/session")

api = Service(
    "api",
    command=[Package("python3").program, Source("app") / "server.py"],
    ports=[Port(8000)],
    health=HttpCheck("/healthz"),
    secrets=[api_token, session_key],
)
server = Machine("server", services=[api], packages=[Package("curl")])

# No word about secrets: nixgen makes a value for each of them, anew in every run.
smoke = Test("smoke", machines=[server])

# A value that the test chooses, and a rule for one that nixgen makes.
login = Test(
    "login",
    machines=[server],
    secrets={
        api_token: "correct horse battery staple",
        session_key: Generated(length=64, alphabet="0123456789abcdef"),
    },
    script="""\
server.wait_for_unit("api.service")
server.wait_for_open_port(8000)

with subtest("the right token opens the door"):
    server.succeed(
        'curl -fsS -H "Authorization: Bearer $(cat /run/secrets/api-token)" http://localhost:8000/ | grep signature'
    )

with subtest("no token, and a wrong one, do not"):
    server.fail("curl -fsS http://localhost:8000/")
    server.fail('curl -fsS -H "Authorization: Bearer guess" http://localhost:8000/')

with subtest("only root can read the files"):
    server.succeed("test $(stat -c %U:%G:%a /run/secrets/api-token) = root:root:400")
    server.succeed("grep -qx '[0-9a-f]\\\\{64\\\\}' /var/lib/keys/session")
""",
)

project = Project("secrets", machines=[server], tests=[smoke, login])
