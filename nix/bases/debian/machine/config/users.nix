/**
  Users and groups of a machine as passwd, group and shadow.

  Numbers are stable: explicit ones are kept; the others go to names in sorted order, system users and
  groups from 999 downwards and normal users from 1000 upwards, so one machine always gets the same.

  # Inputs
  fail: message → throws, naming the machine.
  users, groups: the values of `users.users` and `users.groups`.

  # Output
  passwd, group, shadow: texts.
  homes: list of { path, uid, gid }: what to create at boot.
  uidOf, gidOf: name → number, for owners of files.
*/
{
  fail,
  users,
  groups,
}:
let
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    groupBy
    head
    length
    listToAttrs
    mapAttrs
    sort
    ;
  base = import ./base-users.nix;

  noLogin = "/usr/sbin/nologin";

  kindOf =
    name: user:
    if base.users ? ${name} then
      fail "users.users.${name} is a user of the base system; choose another name"
    else if user.isSystemUser == user.isNormalUser then
      fail "users.users.${name} must set one of isSystemUser and isNormalUser"
    else if user.isSystemUser then
      "system"
    else
      "normal";

  primaryGroup =
    name: user:
    if user.group != "" then
      user.group
    else if user.isNormalUser then
      "users"
    else
      fail (
        "users.users.${name}.group is not set; a system user needs a group, such as ${name}, "
        + "with `users.groups.${name} = { };`"
      );

  allGroups =
    mapAttrs (_: gid: {
      inherit gid;
      members = [ ];
    }) base.groups
    // groups;

  # Give numbers to the names that have none: `candidates` without the taken ones, in order.
  allocate =
    what: first: step: taken: names:
    (foldl'
      (
        state: name:
        let
          free = number: if elem number taken then free (number + step) else number;
          number = free state.next;
        in
        {
          next = number + step;
          numbers = state.numbers // {
            ${name} = number;
          };
        }
      )
      {
        next = first;
        numbers = { };
      }
      names
    ).numbers;

  # Two names with one number would be one user to the kernel.
  unique =
    option: numbers:
    let
      byNumber = groupBy (name: toString numbers.${name}) (attrNames numbers);
      shared = filter (names: length names > 1) (attrValues byNumber);
    in
    if shared == [ ] then
      numbers
    else
      fail (
        "${option} of ${concatStringsSep " and " (head shared)} is "
        + "${toString numbers.${head (head shared)}}, and must differ"
      );

  numbersOf =
    option: known: isNormal: fixed:
    let
      explicit = listToAttrs (
        concatMap (
          name:
          if fixed.${name} == null then
            [ ]
          else
            [
              {
                inherit name;
                value = fixed.${name};
              }
            ]
        ) (attrNames fixed)
      );
      taken = attrValues (known // explicit);
      open = filter (name: fixed.${name} == null) (attrNames fixed);
    in
    unique option (
      known
      // explicit
      // allocate option 999 (-1) taken (filter (name: !isNormal name) open)
      // allocate option 1000 1 taken (filter isNormal open)
    );

  uids = numbersOf "uid" (mapAttrs (_: user: user.uid) base.users) (
    name: kindOf name users.${name} == "normal"
  ) (mapAttrs (_: user: user.uid) users);

  gids = numbersOf "gid" base.groups (_: false) (
    mapAttrs (_: group: group.gid) (removeAttrs groups (attrNames base.groups))
  );

  gidOf =
    name:
    gids.${name}
      or (fail "the group ${name} is used and not defined; add `users.groups.${name} = { };`");

  uidOf = name: uids.${name} or (fail "the user ${name} is used and not defined");

  homeOf =
    name: user:
    if user.home != null then
      toString user.home
    else if user.isNormalUser then
      "/home/${name}"
    else
      "/var/empty";

  shellOf =
    user:
    if user.shell == null then
      if user.isNormalUser then "/bin/bash" else noLogin
    else if user.shell ? outPath then
      "${user.shell}/bin/${user.shell.meta.mainProgram or user.shell.pname or "sh"}"
    else
      toString user.shell;

  entry = name: user: {
    inherit name;
    uid = uidOf name;
    gid = gidOf (primaryGroup name user);
    gecos = user.description;
    home = homeOf name user;
    shell = shellOf user;
  };

  entries = sort (a: b: a.uid < b.uid) (
    attrValues (mapAttrs (name: user: user // { inherit name; }) base.users)
    ++ attrValues (mapAttrs (name: user: builtins.seq (kindOf name user) (entry name user)) users)
  );

  membersOf =
    name:
    let
      extra = filter (user: elem name users.${user}.extraGroups) (attrNames users);
      declared = allGroups.${name}.members;
      all = declared ++ filter (user: !elem user declared) extra;
    in
    filter (user: builtins.seq (uidOf user) true) all;

  # A group that only `extraGroups` mentions would otherwise be dropped without a word.
  checkedGroups =
    let
      mentioned = concatMap (user: map gidOf user.extraGroups) (attrValues users);
    in
    builtins.deepSeq mentioned (sort (a: b: gids.${a} < gids.${b}) (attrNames gids));

  text = rows: concatStringsSep "" (map (row: concatStringsSep ":" row + "\n") rows);
in
{
  inherit uidOf gidOf;

  passwd = text (
    map (each: [
      each.name
      "x"
      (toString each.uid)
      (toString each.gid)
      each.gecos
      each.home
      each.shell
    ]) entries
  );

  group = text (
    map (name: [
      name
      "x"
      (toString gids.${name})
      (concatStringsSep "," (membersOf name))
    ]) checkedGroups
  );

  # No password opens any account; the day of the last change is 1, so none is "to be changed".
  shadow = text (
    map (each: [
      each.name
      "!"
      "1"
      ""
      ""
      ""
      ""
      ""
      ""
    ]) entries
  );

  homes = concatMap (
    name:
    let
      user = users.${name};
      wanted = if user.createHome == null then user.isNormalUser else user.createHome;
    in
    if wanted then
      [
        {
          path = homeOf name user;
          uid = uidOf name;
          gid = gidOf (primaryGroup name user);
        }
      ]
    else
      [ ]
  ) (attrNames users);
}
