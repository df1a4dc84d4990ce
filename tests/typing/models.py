"""Checked by mypy, never run: what the constructors accept and refuse. An ignore that is not needed is an error."""

from nixgen import (
    Application,
    Environment,
    Generated,
    HttpCheck,
    Image,
    Machine,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    Test,
    User,
    Workload,
    text,
)

nginx = Package("nginx")
port = Port(80, name="http")
token = Secret("token")
service = Service(
    "api",
    command=[nginx / "bin/nginx", "-c", text("${n}/x", n=nginx), Source("app")],
    environment={"A": "b", "C": nginx},
    ports=[port],
    health=HttpCheck("/", port=port),
    secrets=(token,),
    user=User("api", uid=1),
)
machine = Machine("web", services=[service], packages=(nginx,), memory=512)
image = Image("api", service=service)
workload = Workload(service, image=image, replicas=2, environment={"A": "c"}, labels={"a": "b"})
Project(
    "p",
    machines=[machine],
    images=[image],
    applications=[Application("shop", namespace="shop", workloads=[workload])],
    tests=[Test("t", machines=[machine])],
)
Test("t", machines=[machine], secrets={token: "a value"})
Test("t", machines=[machine], secrets={token: Generated(length=64, alphabet="01")})
Test("t", machines=[machine], secrets={token: Generated(), Secret("key"): "a value"})
Environment("prod", variables={"A": text("x")})

Port("80")  # type: ignore[arg-type]
Machine("web", memory="1")  # type: ignore[arg-type]
Machine("web", memroy=1)  # type: ignore[call-arg]
Service("api")  # type: ignore[call-arg]
Test("t", machines=[machine], secrets={"token": "a value"})  # type: ignore[dict-item]
Test("t", machines=[machine], secrets={token: 1})  # type: ignore[dict-item]
Generated(32)  # type: ignore[call-arg]
Workload(service)  # type: ignore[call-arg]
Workload(service, image="api:latest")  # type: ignore[arg-type]
Project("p", [machine])  # type: ignore[call-arg]
service.name = "x"  # type: ignore[misc]
nginx + "x"  # type: ignore[operator]
