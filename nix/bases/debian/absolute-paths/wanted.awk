# Which links a root needs for the absolute paths that its packages mention: lines "PATH STORE_PATH", nearest package first.
#
# Input: a file as exportReferencesGraph writes it.  roots: the store paths to begin with, separated by blanks.
# reached: the file that gets the store paths which belong to the root.
# A package that a link leads to belongs to the root, and its own paths count, too.

{
  path = $0
  getline deriver
  getline number
  references[path] = ""
  for (i = 0; i < number + 0; i++) {
    getline reference
    references[path] = references[path] " " reference
  }
  name = path
  sub(/^.*\/[^-]*-/, "", name)
  place[name] = path
}

END {
  count = 0
  add(roots)
  for (i = 1; i <= count; i++) {
    path = queue[i]
    print path > reached
    add(references[path])
    file = path "/nix-support/absolute-paths"
    while ((getline line < file) > 0) {
      number = split(line, words, " ")
      for (w = 2; w <= number; w++) {
        if (!(words[w] in place)) continue
        print words[1], place[words[w]]
        add(place[words[w]])
      }
    }
    close(file)
  }
}

function add(paths,    all, number, k) {
  number = split(paths, all, " ")
  for (k = 1; k <= number; k++) {
    if (all[k] in known) continue
    known[all[k]] = 1
    queue[++count] = all[k]
  }
}
