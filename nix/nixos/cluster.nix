/**
  A NixOS module: what a machine is on EC2, and its place in a cluster, as options; and what follows from them.

  nixgen.ec2 and nixgen.cluster say what machine.json says (nixgen/documents/machine-1.json), under the same names. From them
  come the names of the other members, the ports that security groups let through, volumes' file systems, the roles of
  services.kubernetes, and, below NixOps, deployment.ec2. All of it gives way to definitions of the same options.
*/
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config.nixgen) cluster ec2;

  required = type: description: mkOption { inherit type description; };
  optional =
    type: default: description:
    mkOption { inherit type default description; };
  facts = options: types.nullOr (types.submodule { inherit options; });

  ingress = {
    protocol = required (types.enum [
      "tcp"
      "udp"
    ]) "Protocol of the packets.";
    from = required types.port "First port.";
    to = required types.port "Last port.";
    source = required types.str "Network that the packets come from.";
  };

  volume = {
    device = required types.str "Device on the machine.";
    size = required types.ints.positive "Size in GiB.";
    type = required types.str "Kind of volume, such as gp3.";
    mountPoint = optional (types.nullOr types.str) null "Where it is mounted, if anywhere.";
    fsType = required types.str "File system that a new volume gets.";
    encrypted = required types.bool "Whether it is encrypted.";
    deleteOnTermination = required types.bool "Whether it goes when its machine goes.";
  };

  members = lib.filterAttrs (_: address: address != null) cluster.members;
  rules = lib.concatMap (group: group.ingress) ec2.securityGroups;
  ranges =
    protocol:
    map (rule: { inherit (rule) from to; }) (lib.filter (rule: rule.protocol == protocol) rules);
  mounted = lib.filter (volume: volume.mountPoint != null) ec2.storage;
in
{
  options.nixgen = {
    cluster = optional (facts {
      id = required types.ints.unsigned "Number that no other member of the role has.";
      role = required (types.enum [
        "master"
        "worker"
      ]) "What the machine is in the cluster.";
      master = required types.str "Name of the cluster's master; a master's own.";
      members = required (types.attrsOf (types.nullOr types.str)) "Name of each member, itself included, and its address where it is known.";
      podNetwork = optional (types.nullOr types.str) null "Addresses of pods.";
    }) null "The machine's place in a cluster.";

    ec2 = optional (facts {
      region = required types.str "Region.";
      instanceType = required types.str "Instance type, such as m5.large.";
      address = optional (types.nullOr types.str) null "Private address.";
      public = required types.bool "Whether it also gets a public address.";
      image = optional (types.nullOr types.str) null "AMI that it starts from.";
      keyPair = optional (types.nullOr types.str) null "Name of the key pair whose owner may log in.";
      rootSize = required types.ints.positive "Size of the root volume in GiB.";
      subnet = {
        id = required types.str "Subnet's id.";
        cidr = optional (types.nullOr types.str) null "Its addresses.";
        zone = optional (types.nullOr types.str) null "Its availability zone.";
      };
      securityGroups = required (types.listOf (
        types.submodule {
          options = {
            id = required types.str "Group's id.";
            ingress = required (types.listOf (types.submodule { options = ingress; })) "What it lets in.";
          };
        }
      )) "Security groups.";
      storage = required (types.listOf (types.submodule { options = volume; })) "Volumes.";
    }) null "What the machine is on EC2.";
  };

  config = lib.mkMerge [
    (lib.mkIf (cluster != null) {
      # by address: several names of one machine must not be several keys
      networking.hosts = lib.mapAttrs' (name: address: lib.nameValuePair address [ name ]) members;
      services.kubernetes = {
        roles = lib.mkDefault [ (if cluster.role == "master" then "master" else "node") ];
        masterAddress = lib.mkDefault cluster.master;
        easyCerts = lib.mkDefault true;
        clusterCidr = lib.mkIf (cluster.podNetwork != null) (lib.mkDefault cluster.podNetwork);
      };
    })

    (lib.mkIf (ec2 != null) {
      networking.firewall.allowedTCPPortRanges = ranges "tcp";
      networking.firewall.allowedUDPPortRanges = ranges "udp";
      fileSystems = lib.listToAttrs (
        map (
          volume:
          lib.nameValuePair volume.mountPoint {
            device = lib.mkDefault volume.device;
            fsType = lib.mkDefault volume.fsType;
            autoFormat = lib.mkDefault true;
          }
        ) mounted
      );
    })

    (lib.optionalAttrs (options ? deployment) {
      deployment = lib.mkIf (ec2 != null) {
        targetEnv = lib.mkDefault "ec2";
        ec2 = {
          inherit (ec2) instanceType region;
          ami = lib.mkIf (ec2.image != null) ec2.image;
          associatePublicIpAddress = ec2.public;
          ebsInitialRootDiskSize = ec2.rootSize;
          keyPair = lib.mkIf (ec2.keyPair != null) ec2.keyPair;
          securityGroupIds = map (group: group.id) ec2.securityGroups;
          subnetId = ec2.subnet.id;
          usePrivateIpAddress = !ec2.public;
          zone = lib.mkIf (ec2.subnet.zone != null) ec2.subnet.zone;
          blockDeviceMapping = lib.listToAttrs (
            map (
              volume:
              lib.nameValuePair volume.device {
                inherit (volume) deleteOnTermination size;
                encrypt = volume.encrypted;
                encryptionType = "ebs";
                volumeType = volume.type;
              }
            ) ec2.storage
          );
        };
      };
    })
  ];
}
