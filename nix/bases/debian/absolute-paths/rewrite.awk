# Text files with absolute paths of Debian's layout → the same files with store paths, as FILE.rewritten. A file without
# such a path is not written.
#
# map: a file with lines "PATH STORE_PATH".  prefix: the unit's own usr/, for pkg-config's files.
#
# Only whole paths count: /usr/share/x in "$root/usr/share/x" or "/usr/share/x-$version" is part of another path. What a
# variable or a pattern continues is looked for as a folder.

BEGIN {
  while ((getline line < map) > 0) {
    split(line, words, " ")
    store[words[1]] = words[2]
  }
  path = "/(usr/(bin|sbin|lib|libexec|share|games)|bin|sbin|lib)/[A-Za-z0-9._+@~/-]*"
}

FNR == 1 { finish() }

{
  file = FILENAME
  line = $0
  if (file ~ /\.pc$/) sub(/^prefix=\/usr\/?$/, "prefix=" prefix, line)
  if (index(line, "/")) line = rewritten(line)
  if (line != $0) changed = 1
  lines[++count] = line
}

END { finish() }

function finish(    i) {
  if (changed) {
    for (i = 1; i <= count; i++) print lines[i] > (file ".rewritten")
    close(file ".rewritten")
  }
  count = 0
  changed = 0
}

function rewritten(line,    out, before, name, new) {
  while (match(line, path)) {
    before = substr(line, 1, RSTART - 1)
    name = substr(line, RSTART, RLENGTH)
    line = substr(line, RSTART + RLENGTH)
    new = begins_a_path(out before) ? replacement(name, line) : name
    out = out before new
  }
  return out line
}

# Whether a path can begin after this text: $root/usr/bin is none, nor is http://host/usr/bin.
function begins_a_path(before,    last) {
  if (before == "" || before ~ /file:\/\/$/) return 1
  last = substr(before, length(before))
  # "$root"/usr/bin is one word; b"/usr/bin" is a string of Python
  if (last == "\"" || last == "'") {
    return before !~ /[A-Za-z0-9_)}].$/ || before ~ /(^|[^A-Za-z0-9_])[rbfuRBFU][rbRB]?.$/
  }
  return last !~ /[A-Za-z0-9_]/ && !index(".~})]$%*?/\\+@^-", last)
}

# What takes the place of a path; after: the rest of the line.
function replacement(name, after,    plain, folder, file) {
  plain = name
  gsub(/\/\/+/, "/", plain)
  if (after !~ /^([$%*?[{]|#\{|\\[.$*?])/) {
    file = plain
    sub(/\/$/, "", file)
    return file in store ? store[file] substr(plain, length(file) + 1) : name
  }
  folder = plain
  sub(/\/[^\/]*$/, "", folder)
  return folder in store ? store[folder] substr(plain, length(folder) + 1) : name
}
