"""Each feature of the models once, with options that a real NixOS has."""

from nixgen import (
    Boot,
    Cluster,
    CommandCheck,
    ConfigFile,
    Ec2,
    Environment,
    FileSystem,
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
    User,
    Volume,
    mk_default,
    mk_force,
    text,
)

bash = Package("bash")
flask = Package("flask", nixpkgs="python3Packages.flask")
nginx = Package("nginx")
redis = Package("redis", main="redis-server")
site = Source("site", exclude=["drafts"])
nasty = "${pkgs.evil} ''${x} $HOME %n \\ \" 'quoted' \t$$"

tls = Port(8443)
store = Service(
    "store",
    command=[redis.program, "--port", "6379"],
    ports=[Port(6379, public=False), Port(5353, protocol="udp", name="dns")],
    health=CommandCheck([redis / "bin/redis-cli", "ping", 'with "quotes" and \\']),
    state_directory="store",
    restart="always",
)
app = Service(
    "app",
    description='The "app"',
    command=[bash.program, "", "two words", nasty, text("--root=${root} x", root=site)],
    setup=[[bash / "bin/bash", "-c", "echo one; echo two"], ["/bin/true"]],
    environment={
        "NASTY": nasty,
        "ROOT": site,
        "MODE": "dev",
        "LIST": text("${a}:${b}/b", a=flask, b=bash),
    },
    ports=[Port(80, name="http"), tls],
    health=HttpCheck("/health?full=1", port=tls, status=204, contains="it's up"),
    packages=[bash, flask],
    depends_on=[store],
    secrets=[Secret("token"), Secret("password", file="/run/keys/db")],
    user=User(
        "app", uid=1200, gid=1300, home="/var/lib/app", groups=["video"], description="Runs it"
    ),
    working_directory="/var/lib/app",
    runtime_directory="app",
)
opened = Service(
    "opened",
    command=[bash.program],
    ports=[Port(81)],
    health=TcpCheck(),
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

front = Machine(
    "front-1",
    services=[app, store],
    packages=[bash, nginx],
    users=[User("ops", uid=2000, system=False, groups=["wheel"])],
    files={
        "motd": ConfigFile("motd", nasty),
        "app/site.conf": ConfigFile("site.conf", text("root ${r}", r=site)),
    },
    memory=2048,
    cores=4,
    disk=8192,
)
metal = Machine(
    "metal",
    services=[opened, free],
    users=[
        User(
            "ann",
            system=False,
            shell=bash,
            authorized_keys=[
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX ann"
            ],
        ),
        User("bob", shell="/bin/sh"),
    ],
    tmpfiles=[
        TmpfilesRule("/srv/up loads", mode="0750", user="opened", group="opened", age="10d"),
        TmpfilesRule("/run/100%", type="f+", argument='a "b"\tc'),
    ],
    network=Network(
        interfaces=[
            Interface("eth0", addresses=["10.0.0.5/24", "fd00::5/64"], dhcp=False, mtu=9000),
            Interface("eth1", dhcp=True),
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
        kernel_parameters=["panic=5", "x=${y}"],
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
        "systemd.services.opened.serviceConfig.LimitNOFILE": 65536,
        'environment.etc."a/b".text': nasty,
        "environment.variables": {"GREETING": mk_default("hello"), "PAGER": mk_force("cat")},
        "networking.firewall.allowedTCPPorts": [22],
    },
    modules=[NixModule("hosts/metal.nix")],
)

# what only the real NixOS knows
rented = Machine(
    "rented",
    boot=Boot(loader="systemd-boot"),
    options={
        "services.nginx": {
            "enable": True,
            "package": nginx,
            "virtualHosts": {"a.b": {"root": site}},
        },
        "services.nginx.appendConfig": text("# ${r} ''$${x}\n", r=site),
        "services.postgresql.enable": mk_default(False),
    },
)
subnet = Subnet("subnet-0a1b2c3d", cidr="10.7.1.0/24", zone="eu-central-1a")
group = SecurityGroup(
    "sg-0a1b2c3d",
    ingress=[
        Ingress(6443, source="10.7.0.0/16"),
        Ingress(30000, last=32767),
        Ingress(8472, protocol="udp"),
    ],
)
master = Machine(
    "master-0",
    ec2=Ec2(
        "m5.large",
        region="eu-central-1",
        subnet=subnet,
        security_groups=[group],
        address="10.7.1.10",
        storage=[
            Volume("/dev/xvdf", size=20, mount_point="/data", fs_type="xfs"),
            Volume("/dev/xvdg", size=1),
        ],
    ),
)
worker = Machine(
    "worker-0",
    ec2=Ec2(
        "m5.large",
        region="eu-central-1",
        subnet=subnet,
        security_groups=[group],
        public=True,
        image="ami-0a1b2c3d",
        key_pair="operators",
        root_size=40,
    ),
)

project = Project(
    "features",
    machines=[front, metal, rented, master, worker],
    clusters=[
        Cluster("main", master=master, workers=[worker], pod_network="10.32.0.0/12"),
    ],
    images=[
        Image(
            "app",
            service=app,
            packages=[redis],
            tag="1.2.3",
            labels={"org.opencontainers.image.title": nasty},
        ),
        Image("tool", command=[bash.program, "-c", "echo hi"]),
    ],
    tests=[
        Test("derived", machines=[front, metal]),
        Test("written", machines=[front], script="start_all()\n"),
    ],
    packages=[flask, redis],
    environments=[
        Environment("prod", variables={"MODE": "prod", "ROOT": text("${r}/prod", r=site)}),
        Environment(
            "staging",
            variables={"MODE": "staging"},
            options={
                "environment.variables.STAGE": "staging",
                "networking.domain": "staging.example.org",
            },
            modules=[NixModule("hosts/staging.nix")],
            overlays=[
                Overlay(metal, options={"networking.firewall.allowedTCPPorts": mk_force([2222])})
            ],
        ),
    ],
)
