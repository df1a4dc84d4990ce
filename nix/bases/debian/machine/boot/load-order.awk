# Prints the files of the modules in `names`, each after what it depends on.
# A name that ends in `/` stands for all modules of a directory. Input: modules.builtin, then modules.dep,
# whose lines are `a.ko: b.ko c.ko`, with c to be loaded first (modules.dep(5)).
function load(file,    parts, count, i) {
  if (file in done) return
  done[file] = 1
  count = split(needs[file], parts, " ")
  for (i = count; i > 0; i--) load(parts[i])
  print file
}
function nameOf(file) {
  sub(/.*\//, "", file)
  sub(/\.ko(\.xz)?$/, "", file)
  gsub(/-/, "_", file)
  return file
}
FILENAME ~ /builtin$/ {
  builtin[nameOf($1)] = 1
  next
}
{
  file = substr($1, 1, length($1) - 1)
  needs[file] = substr($0, length($1) + 2)
  path[nameOf(file)] = file
  order[++lines] = file
}
END {
  count = split(names, list, " ")
  for (i = 1; i <= count; i++) {
    if (list[i] ~ /\/$/) {
      for (j = 1; j <= lines; j++) if (index(order[j], list[i]) == 1) load(order[j])
    } else if (list[i] in path) {
      load(path[list[i]])
    } else if (!(list[i] in builtin)) {
      print "the kernel has no module " list[i] > "/dev/stderr"
      exit 1
    }
  }
}
