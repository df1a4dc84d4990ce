"""Every field of every model at least once, with data that tries to become code."""

from nixgen import (
    Application,
    Boot,
    Builder,
    Cache,
    Cluster,
    CommandCheck,
    ConfigFile,
    Ec2,
    Environment,
    FileSystem,
    Generated,
    Hardening,
    HttpCheck,
    Image,
    Ingress,
    Interface,
    Machine,
    Network,
    NixModule,
    Overlay,
    Package,
    Port,
    Project,
    Secret,
    SecurityGroup,
    Service,
    Source,
    Subnet,
    TcpCheck,
    Test,
    TmpfilesRule,
    Upstream,
    User,
    Volume,
    Workload,
    mk_before,
    mk_default,
    mk_force,
    text,
)

bash = Package("bash")
flask = Package("flask", nixpkgs="python3Packages.flask", debian=["python3-flask"])
redis = Package("redis", main="redis-server")
python = Package("python3", with_packages=["flask", "psycopg2", "gunicorn"])
perl = Package("perl", with_packages=["DBI", "LWP::UserAgent"])
php = Package("php", with_packages=["mysqli"])
web_root = Source("site", include=["/*.html", "css/", "!*.map"], exclude=["node_modules", "debug.log", "!css/**/debug.log"], name="web-root")
everything = Source(".", gitignore=False, name="everything")
token = Secret("api-token")
db_password = Secret("db-password", file="/run/keys/100%/db")

nasty = "${pkgs.evil} ''${x} $HOME %n \\ \" 'quoted' \t$$"
script = ConfigFile("start.sh", text("#!${bash}/bin/bash\nexec echo $${HOME} '${root}'\n", bash=bash, root=web_root), executable=True)
literal = ConfigFile("literal.txt", nasty + "\n")

tls = Port(8443)
store = Service(
    "store",
    command=[redis.program, "--port", "6379"],
    ports=[Port(6379, public=False), Port(5353, protocol="udp", name="dns")],
    health=CommandCheck([redis / "bin/redis-cli", "ping", 'with "quotes" and \\']),
    state_directory="store/data",
    restart="always",
)
app = Service(
    "app",
    description='The "app"',
    command=[script, "", "two words", nasty, text("--root=${root} x", root=web_root)],
    setup=[[bash / "bin/bash", "-c", "echo one; echo two"], ["/bin/true"]],
    environment={"NASTY": nasty, "ROOT": web_root, "MODE": "dev", "LIST": text("${a}:${b}/b", a=flask, b=bash)},
    ports=[Port(80, name="http"), tls],
    health=HttpCheck("/health?full=1", port=tls, status=204, contains="it's up"),
    packages=[bash, flask],
    depends_on=[store],
    secrets=[token, db_password],
    user=User("app", uid=1200, gid=1300, home="/var/lib/app", groups=["video"], description="Runs the app"),
    working_directory="/var/lib/app",
    runtime_directory="app",
)
worker = Service("worker", command=["/bin/sleep", "infinity"], depends_on=[app], health=None)
metrics = Port(9000)
probe = Service("probe", command=[bash.program], ports=[metrics, Port(9001)], health=TcpCheck(port=metrics))

front = Machine(
    "front-1",
    services=[app, store],
    packages=[bash],
    users=[User("ops", uid=2000, system=False, groups=["wheel"])],
    files={"motd": literal, "everything": ConfigFile("everything", text("${e}", e=everything)), "app/config.d/10-site.conf": ConfigFile("site.conf", text("root ${r}", r=web_root))},
    memory=2048,
    cores=4,
    disk=8192,
)
back = Machine("back", services=[worker, probe], system="aarch64-linux")

opened = Service(
    "opened",
    command=[bash.program],
    ports=[Port(81)],
    user=User("opened"),
    hardening=Hardening(
        filesystem="full",
        writable=["/srv/up loads"],
        home=True,
        devices=True,
        capabilities=["CAP_NET_ADMIN"],
        namespaces=True,
        write_execute=False,
        address_families=["AF_INET", "AF_PACKET"],
        system_calls=["@system-service", "~ptrace"],
    ),
)
free = Service("free", command=[bash.program], user=User("root"), hardening=Hardening.off())
metal = Machine(
    "metal",
    services=[opened, free],
    users=[
        User(
            "ann",
            system=False,
            shell=bash,
            authorized_keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX ann"],
        ),
        User("bob", shell="/bin/sh"),
    ],
    tmpfiles=[
        TmpfilesRule("/srv/up loads", mode="0750", user="opened", group="opened", age="10d"),
        TmpfilesRule("/run/100%", type="f+", argument='a "b"\tc'),
        TmpfilesRule("/srv/link", type="L+", argument="/srv/x"),
    ],
    network=Network(
        interfaces=[
            Interface("eth0", addresses=["10.0.0.5/24", "fd00::5/64"], dhcp=False, mtu=9000),
            Interface("eth0.7", dhcp=True),
        ],
        gateways=["10.0.0.1", "fd00::1"],
        nameservers=["10.0.0.3"],
        domain="example.org",
        search=["example.org", "example.net"],
        hosts={"10.0.0.9": ["db", "db.example.org"]},
        firewall=False,
    ),
    boot=Boot(
        loader="grub",
        device="/dev/vda",
        kernel_parameters=["panic=5", "x=%n"],
        kernel_modules=["br_netfilter"],
        initrd_modules=["nvme"],
        sysctl={"net.ipv4.ip_forward": True, "vm.swappiness": 10, "kernel.modprobe": ""},
    ),
    file_systems=[
        FileSystem("/", device="/dev/disk/by-label/nixos", options=["noatime"]),
        FileSystem("/nix", device="/dev/vdb", fs_type="xfs", needed_for_boot=True),
    ],
    swap=["/dev/disk/by-label/swap"],
    options={
        "services.nginx": {"enable": True, "package": flask, "virtualHosts": {"a.b": {"root": web_root}}},
        "services.nginx.appendConfig": text("# ${r} ''$${x}\n", r=web_root),
        "services.postgresql.enable": mk_default(False),
        "systemd.services.opened.serviceConfig.LimitNOFILE": 65536,
        'environment.etc."a/b".text': nasty,
        "networking.firewall.allowedTCPPorts": mk_before([22]),
        "services.x": [1.5, None, -1, [], {}, {"a": mk_force("b")}],
    },
    modules=[NixModule("hosts/metal.nix"), NixModule("../shared")],
)

subnet = Subnet("subnet-0123456789abcdef0", cidr="10.0.0.0/24", zone="eu-central-1a")
group = SecurityGroup("sg-0123456789abcdef0", ingress=[Ingress(6443), Ingress(30000, last=32767, protocol="udp", source="10.0.0.0/16")])
ec2 = Ec2(
    "m6i.large",
    region="eu-central-1",
    subnet=subnet,
    security_groups=[group],
    address="10.0.0.10",
    public=True,
    image="ami-0123456789abcdef0",
    key_pair="ops",
    root_size=40,
    storage=[
        Volume("/dev/sdf", size=100, type="gp3", mount_point="/srv/data", fs_type="xfs", encrypted=False, delete_on_termination=True),
        Volume("/dev/sdg", size=1, type="io2"),
    ],
)
master = Machine("master-1", ec2=ec2)
joined = Machine("worker-1", ec2=Ec2("m6i.large", region="eu-central-1", subnet=subnet, security_groups=[group]))
cluster = Cluster("main", master=master, workers=[joined], pod_network="10.200.0.0/16", ids={"master-1": 1, "worker-1": 1})

https = Port(443, name="https")
shop = Service(
    "shop",
    description="Sells ${things}",
    command=[script],
    setup=[[bash / "bin/bash", "-c", text("$(${b}) $$HOME $$", b=bash)], ["/bin/true"]],
    environment={"MODE": "dev", "NASTY": nasty, "DOLLARS": "$(MODE) $$(x) a$", "SITE": web_root, "DB": "db:5432", "RUNTIME_DIRECTORY": "own"},
    ports=[https, Port(53, protocol="udp", public=False)],
    health=HttpCheck("/health?full=1", port=https, status=204, contains="it's up"),
    secrets=[Secret("db.password"), Secret("token")],
    user=User("shop", uid=1200, gid=1300),
    state_directory="shop/data",
    runtime_directory="shop",
    depends_on=[store],
)
queue = Service("queue", command=[redis.program], ports=[Port(6380)], health=TcpCheck())
mailer = Service("mailer", command=[bash.program], health=CommandCheck([redis / "bin/redis-cli", "ping", "$(x)"]), depends_on=[queue])
cleaner = Service("cleaner", command=[bash.program], user=User("root"), environment={"MODE": "dev"}, hardening=Hardening(filesystem="full", capabilities=["CAP_CHOWN"], new_privileges=True, system_calls=[]))
images = {name: Image(name, service=service) for name, service in {"shop": shop, "queue": queue, "mailer": mailer, "cleaner": cleaner}.items()}

project = Project(
    "kitchen-sink",
    machines=[front, back, metal, master, joined],
    clusters=[cluster],
    applications=[
        Application(
            "shop",
            namespace="web-shop",
            registry="registry.example.org:5000/team",
            kubernetes_version="1.29",
            labels={"example.org/team": "web", "tier": "any"},
            modules=[NixModule("cluster/ingress.nix")],
            workloads=[
                Workload(shop, image=images["shop"], environment={"DB": "database:5432"}, storage=2048, labels={"tier": "front"}),
                Workload(queue, image=images["queue"], replicas=3),
            ],
        ),
        Application("jobs", workloads=[Workload(mailer, image=images["mailer"]), Workload(cleaner, image=images["cleaner"], replicas=0)]),
        Application("more", namespace="web-shop", create_namespace=False, workloads=[Workload(mailer, image=images["mailer"])]),
    ],
    images=[
        Image("app", service=app, packages=[redis], tag="1.2.3", labels={"org.opencontainers.image.title": nasty}),
        Image("tool", command=[bash.program, "-c", "echo hi"]),
        Image("libraries", command=[python / "bin/gunicorn", "app:app"], packages=[Package("python3"), perl, php]),
        Image("store", service=store),
        *images.values(),
    ],
    tests=[
        Test("derived", machines=[front, back], secrets={token: "never in the store", db_password: Generated(length=64, alphabet="0123456789abcdef")}),
        Test("written", machines=[back], script='start_all()\nback.succeed("echo ${HOME} \'\'")\n'),
    ],
    packages=[flask, redis, python],
    tools=[bash, Package("ripgrep"), Package("ruby", with_packages=["nokogiri"])],
    environments=[
        Environment("prod", variables={"MODE": "prod", "ROOT": text("${r}/prod", r=web_root)}),
        Environment("dev"),
        Environment(
            "staging",
            options={"time.timeZone": "UTC", "services.x": [2], "systemd.services.app.environment": {"MODE": mk_force("x")}},
            modules=[NixModule("hosts/staging.nix")],
            variables={"MODE": "staging"},
            overlays=[Overlay(metal, options={"services.x": mk_force([3]), "services.nginx": {"enable": mk_force(False)}}, modules=[NixModule("hosts/metal-staging.nix")])],
        ),
    ],
    caches=[
        Cache(
            "main",
            "s3://kitchen/sink?region=eu-central-1",
            public_keys=["main:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
            upstreams=[Upstream("https://cache.nixos.org", public_keys=["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="])],
            public=True,
            compression="xz",
            level=6,
            keep=5,
        ),
    ],
    builders=[
        Builder(
            "big-1",
            host="builder.example.org",
            user="nix",
            systems=["x86_64-linux", "aarch64-linux"],
            max_jobs=8,
            speed_factor=2,
            supported_features=["kvm", "big-parallel"],
            ssh_key="/etc/nix/builder_key",
            host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX root@builder",
        ),
        Builder("slow", host="10.0.0.2", port=2222, protocol="ssh", mandatory_features=["kvm"], ssh_key=Secret("builder", file="/run/keys/builder")),
    ],
)
