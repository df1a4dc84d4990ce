"""A web shop: nginx in front of a Node service and redis; two machines, two images, a cluster and a test."""

from nixgen import (
    Application,
    ConfigFile,
    Environment,
    HttpCheck,
    Image,
    Machine,
    Package,
    Port,
    Project,
    Service,
    Source,
    TcpCheck,
    Test,
    User,
    Workload,
    text,
)

curl = Package("curl")
nginx = Package("nginx")
nodejs = Package("nodejs", main="node")
redis = Package("redis", main="redis-server")

cache = Service(
    "redis",
    description="Visit counter",
    command=[redis.program, "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""],
    ports=[Port(6379)],
    health=TcpCheck(),
)

api = Service(
    "api",
    description="Knative's helloworld-nodejs",
    command=[nodejs.program, Source("app") / "server.js"],
    environment={"PORT": "8080", "TARGET": "World", "REDIS": "db:6379"},
    ports=[Port(8080, name="http", public=False)],
    health=HttpCheck("/healthz"),
    depends_on=[cache],
    user=User("api", uid=1500),
)

nginx_conf = ConfigFile(
    "nginx.conf",
    text(
        """\
daemon off;
error_log stderr;
pid /run/nginx/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /run/nginx/body;
  proxy_temp_path /run/nginx/proxy;
  fastcgi_temp_path /run/nginx/fastcgi;
  uwsgi_temp_path /run/nginx/uwsgi;
  scgi_temp_path /run/nginx/scgi;
  server {
    listen 80;
    root ${site};
    location /static/ { }
    location / {
      proxy_set_header Host $host;
      proxy_pass http://127.0.0.1:8080;
    }
  }
}
""",
        site=Source("site"),
    ),
)

proxy = Service(
    "nginx",
    description="Front door",
    command=[nginx.program, "-e", "stderr", "-c", nginx_conf],
    ports=[Port(80)],
    health=HttpCheck(contains="Hello"),
    runtime_directory="nginx",
    depends_on=[api],
)

api_image = Image("api", service=api)
redis_image = Image("redis", service=cache)

# The same services in a cluster, where a Service's name is its address.
shop = Application(
    "shop",
    namespace="shop",
    workloads=[
        Workload(api, image=api_image, replicas=2, environment={"REDIS": "redis:6379"}),
        Workload(cache, image=redis_image),
    ],
)

web = Machine("web", services=[proxy, api], packages=[curl], memory=768)
db = Machine("db", services=[cache], packages=[curl])

smoke = Test(
    "smoke",
    machines=[web, db],
    script="""\
start_all()

with subtest("redis answers"):
    db.wait_for_unit("redis.service")
    db.wait_for_open_port(6379)

with subtest("the API greets and counts"):
    web.wait_for_unit("api.service")
    web.wait_for_open_port(8080)
    web.succeed("curl -fsS http://localhost:8080/healthz")
    assert "1 visits" in web.succeed("curl -fsS http://localhost:8080/visits")

with subtest("the shop is open to the other machine"):
    web.wait_for_unit("nginx.service")
    web.wait_for_open_port(80)
    greeting = db.succeed("curl -fsS http://web/")
    assert greeting == "Hello World!\\n", greeting
    assert "2 visits" in db.succeed("curl -fsS http://web/visits")

with subtest("what is not public is closed"):
    db.fail("curl -fsS --max-time 3 http://web:8080/")
""",
)

project = Project(
    "shop",
    machines=[web, db],
    images=[api_image, redis_image],
    applications=[shop],
    tests=[smoke],
    environments=[Environment("staging", variables={"TARGET": "staging"})],
)
