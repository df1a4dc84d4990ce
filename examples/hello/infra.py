"""The smallest project: one service, one machine, one image."""

from nixgen import HttpCheck, Image, Machine, Package, Port, Project, Service, Source

python = Package("python3")

web = Service(
    "web",
    command=[python.program, "-m", "http.server", "8000", "--directory", Source("site")],
    ports=[Port(8000)],
    health=HttpCheck(contains="Hello"),
)

project = Project(
    "hello",
    machines=[Machine("web", services=[web])],
    images=[Image("web", service=web)],
)
