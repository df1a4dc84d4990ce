/**
  Modules that mean the same to kubenix and to the Debian base: name → list of modules of one application.

  Every one is evaluated; what it gives, or that it fails, must be the same on both.
*/
let
  pod = spec: { kubernetes.resources.deployments.api.spec.template.spec = spec; };
  container = fields: pod { containers.api = fields; };
  deployment = {
    kubernetes.resources.deployments.api.spec = {
      selector.matchLabels.app = "api";
      template.metadata.labels.app = "api";
    };
  };
  service = spec: { kubernetes.resources.services.api.spec = spec; };
  imported = { kubenix, ... }: { imports = [ kubenix.modules.k8s ]; };
in
builtins.mapAttrs (_: modules: [ imported ] ++ modules) {
  nothing = [ ];
  noSpec = [ { kubernetes.resources.services.api = { }; } ];
  noName = [ { kubernetes.resources.namespaces.a = { }; } ];

  # metadata
  namespaceIsADefault = [
    {
      kubernetes.namespace = "shop";
      kubernetes.resources = {
        services.api = { };
        services.other.metadata.namespace = "elsewhere";
        namespaces.shop.metadata.namespace = null;
      };
    }
  ];
  metadataIsKept = [
    {
      kubernetes.resources.services.api.metadata = {
        name = "other";
        labels."app.kubernetes.io/name" = "api";
        annotations = {
          "kubenix/own" = "left out";
          a = "b";
        };
      };
    }
  ];
  namespaceInLayers = [
    { kubernetes.namespace = "a"; }
    ({ lib, ... }: { kubernetes.namespace = lib.mkForce "b"; })
    { kubernetes.resources.services.api = { }; }
  ];

  # lists by key
  environmentBySet = [
    deployment
    (container {
      env.B.value = "b";
      env.A.value = "a";
    })
  ];
  environmentByList = [
    deployment
    (container {
      env = [
        {
          name = "B";
          value = "b";
        }
        {
          name = "A";
          value = "a";
        }
      ];
    })
  ];
  environmentLaidOver = [
    deployment
    (container {
      env = [
        {
          name = "B";
          value = "b";
        }
        {
          name = "A";
          value = "a";
        }
      ];
    })
    ({ lib, ... }: container { env.A.value = lib.mkForce "c"; })
    (container { env.C.value = "added"; })
  ];
  environmentReplaced = [
    deployment
    (container { env.A.value = "a"; })
    ({ lib, ... }: container { env = lib.mkForce { B.value = "b"; }; })
  ];
  listReplaced = [
    deployment
    (container {
      env = [
        {
          name = "A";
          value = "a";
        }
      ];
    })
    (
      { lib, ... }:
      container {
        env = lib.mkForce [
          {
            name = "B";
            value = "b";
          }
        ];
      }
    )
  ];
  nameIsAnother = [
    deployment
    (container {
      env.A = {
        name = "B";
        value = "b";
      };
    })
  ];
  keyWithAProperty = [
    deployment
    (
      { lib, ... }:
      container {
        env = [
          {
            name = lib.mkDefault "A";
            value = "a";
          }
        ];
      }
    )
  ];
  emptyLists = [
    deployment
    (container {
      env = [ ];
      ports = { };
      command = [ ];
    })
  ];
  mountsByPath = [
    deployment
    (container {
      volumeMounts = {
        "/tmp".name = "tmp";
        "/srv" = {
          name = "srv";
          readOnly = true;
        };
      };
    })
    (pod {
      volumes = {
        tmp.emptyDir = { };
        srv.persistentVolumeClaim.claimName = "srv";
      };
    })
  ];
  orderOfContainers = [
    deployment
    (container { image = "a"; })
    (pod {
      initContainers = [
        {
          name = "setup-2";
          image = "b";
        }
        {
          name = "setup-10";
          image = "c";
        }
        {
          name = "setup-1";
          image = "a";
        }
      ];
    })
    ({ lib, ... }: pod { initContainers.setup-10.env.A.value = lib.mkForce "x"; })
  ];
  portsWithoutNames = [
    (service {
      ports = [
        {
          port = 80;
          protocol = "TCP";
        }
        {
          port = 53;
          protocol = "UDP";
          targetPort = 5353;
        }
      ];
    })
  ];
  portsOfBothKinds = [
    (service {
      ports = [
        {
          name = "b";
          port = 1;
        }
        {
          name = "a";
          port = 2;
        }
      ];
    })
    (service { ports.c.port = 3; })
  ];
  targetsAreNamesOrNumbers = [
    (service {
      ports = {
        a = {
          port = 1;
          targetPort = "http";
        };
        b = {
          port = 2;
          targetPort = 8080;
        };
      };
    })
  ];

  # merging
  listsConcatenate = [
    deployment
    (container { command = [ "a" ]; })
    (container { command = [ "b" ]; })
  ];
  orderOfLists = [
    deployment
    (container { command = [ "b" ]; })
    ({ lib, ... }: container { command = lib.mkBefore [ "a" ]; })
  ];
  conditions = [
    deployment
    ({ lib, config, ... }: {
      kubernetes.resources.deployments.api.spec = lib.mkMerge [
        (lib.mkIf (config.kubernetes.namespace == null) { replicas = 2; })
        (lib.mkIf false { paused = true; })
      ];
    })
  ];
  defaultsYield = [
    ({ lib, ... }: { kubernetes.resources.deployments.api.spec.replicas = lib.mkDefault 1; })
    deployment
    { kubernetes.resources.deployments.api.spec.replicas = 3; }
  ];
  imported = [
    {
      imports = [
        deployment
        ({ ... }: { imports = [ (container { image = "a"; }) ]; })
      ];
    }
  ];
  agreeing = [
    deployment
    (container { image = "a"; })
    (container { image = "a"; })
  ];
  nullIsNothing = [
    deployment
    (container {
      image = null;
      args = null;
      resources = null;
    })
  ];
  orderOfResources = [
    deployment
    {
      kubernetes.resources = {
        services.b = { };
        services.a = { };
        persistentVolumeClaims.z = { };
        namespaces.z = { };
        namespaces.a = { };
      };
    }
  ];

  # failures
  conflict = [
    deployment
    (container { image = "a"; })
    (container { image = "b"; })
  ];
  wrongType = [
    deployment
    (container { image = 1; })
  ];
  wrongListItem = [
    deployment
    (container { command = [ 1 ]; })
  ];
  wrongVersion = [ { kubernetes.version = "1.0"; } ];
  noPort = [ (service { ports.a.protocol = "TCP"; }) ];
  noVolume = [
    deployment
    (container { volumeMounts."/a".readOnly = true; })
  ];
  itemWithoutKey = [
    deployment
    (container { env = [ { value = "x"; } ]; })
  ];
  unknownResource = [ { kubernetes.resources.deploymentz.api = { }; } ];
  unknownField = [
    deployment
    (container { imagee = "x"; })
  ];
}
