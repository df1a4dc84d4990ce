"""Checked, never run: each line that ends in `# mistake` has a mistake that both type checkers must find."""

from collections.abc import Iterator

from nixgen import (
    Application,
    Boot,
    Builder,
    Cache,
    Cluster,
    Environment,
    FileSystem,
    Generated,
    Hardening,
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
    Volume,
    Workload,
)

from nixgen import Modle  # mistake
from nixgen import walk  # mistake

web = Service("web", command=["/bin/true"])
machine = Machine("m", services=[web])
image = Image("web", service=web)
token = Secret("token")


def ports() -> Iterator[Port]:
    yield Port(80)


# right, and not to be reported
Service("s", command=("/bin/true", Source("x")), ports=ports(), setup=[["/bin/a"], ("/bin/b", "c")])
Package("python3", with_packages=["flask"])
Machine("m", services=(web,), options={"a.b": [1, {"c": True}]}, packages=[Package("jq")])

# a list that is none, or of other things
Service("s", command="python3 -m http.server")  # mistake
Service("s", command=["/bin/true", 8000])  # mistake
Service("s", command={"/bin/true", "a"})  # mistake
Service("s", command=["/bin/true"], ports=8000)  # mistake
Service("s", command=["/bin/true"], ports=[8000])  # mistake
Service("s", command=["/bin/true"], setup=["/bin/true"])  # mistake
Service("s", command=["/bin/true"], packages=["jq"])  # mistake
Service("s", command=["/bin/true"], depends_on=web)  # mistake
Machine("m", services=web)  # mistake
Machine("m", services=[Package("nginx")])  # mistake
Package("python3", with_packages="flask")  # mistake
Package("python3", with_packages=[Package("flask")])  # mistake
Machine("m", users=["joe"])  # mistake
Project("p", machines=[web])  # mistake
Project("p", machines=machine)  # mistake
Project("p", tests=[machine])  # mistake
Test("t", machines=[web])  # mistake
Test("t", machines=[machine], secrets=[token])  # mistake
Test("t", machines=[machine], secrets={"token": "a value"})  # mistake
Test("t", machines=[machine], secrets={token: b"a value"})  # mistake
Test("t", machines=[machine], secrets={token: Generated})  # mistake
Application("a", workloads=[web])  # mistake
Source("app", include="*.py")  # mistake
User("u", groups="wheel")  # mistake

# a value of another kind
Service("s", comand=["/bin/true"])  # mistake
Service("s", command=["/bin/true"], environment={"PORT": 8000})  # mistake
Service("s", command=["/bin/true"], environment=["A=b"])  # mistake
Service("s", command=["/bin/true"], user="joe")  # mistake
Service("s", command=["/bin/true"], health="/")  # mistake
Machine("m", memory="1G")  # mistake
Machine("m", files={"motd": "welcome"})  # mistake
Port("80")  # mistake
Generated(length="32")  # mistake
HttpCheck(path=3)  # mistake
Image("i", service="web")  # mistake
Image("i", service=web, labels={"a": 1})  # mistake
Workload(web, image="web:latest")  # mistake
Environment("prod", variables={"A": 1})  # mistake

# a word that is none of the few
Service("s", command=["/bin/true"], restart="sometimes")  # mistake
Port(80, protocol="sctp")  # mistake
Machine("m", system="riscv64-linux")  # mistake
Boot(loader="lilo")  # mistake
Hardening(filesystem="readonly")  # mistake
Cache("c", "s3://b", compression="lz4")  # mistake
Application("a", workloads=[Workload(web, image=image)], kubernetes_version="1.3")  # mistake
Builder("b", "host", protocol="rsh")  # mistake
FileSystem("/", device=1)  # mistake
Volume("/dev/xvdf", size=1, type="gp9")  # mistake

# a field that is missing, has no place, or cannot be changed
Service("s")  # mistake
Port()  # mistake
Port(80, "http")  # mistake
Project("p", [machine])  # mistake
Cluster("c")  # mistake
Cluster("c", master="m")  # mistake
Cluster("c", master=machine, workers=machine)  # mistake
Cluster("c", master=machine, ids={machine: 1})  # mistake
web.name = "api"  # mistake
web.ports = ()  # mistake
