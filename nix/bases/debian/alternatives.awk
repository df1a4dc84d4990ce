# The alternatives that a package's postinst registers, out of its text: for each a line "PRIORITY LINK TARGET".
#
# The script is read and not run: it would change the computer that builds. Of the shell, this knows what maintainer scripts
# use around update-alternatives(1): variables, and loops over words. Conditions are taken to hold, because a script that
# runs for the first time registers everything.

{ lines[NR] = $0 }

END {
  count = 0
  for (i = 1; i <= NR; i++) {
    line = lines[i]
    sub(/^[ \t]+/, "", line)
    if (line ~ /^#/) continue
    # lines that a backslash or an open quote of an assignment continues
    while (i < NR && (line ~ /\\$/ || is_open(line))) {
      sub(/\\$/, "", line)
      next_line = lines[++i]
      sub(/^[ \t]+/, "", next_line)
      line = line " " next_line
    }
    statements[++count] = line
  }
  run(1, count)
}

# Whether a line begins an assignment whose quote it does not end.
function is_open(line,    value, quote) {
  if (line !~ /^[A-Za-z_][A-Za-z0-9_]*=["']/) return 0
  value = line
  sub(/^[^=]*=/, "", value)
  quote = substr(value, 1, 1)
  return gsub(quote, "", value) % 2
}

function run(first, last,    i, end, name, words, number, w, rest) {
  for (i = first; i <= last; i++) {
    line = statements[i]
    if (line ~ /^for [A-Za-z_][A-Za-z0-9_]* in /) {
      name = line
      sub(/^for /, "", name)
      rest = name
      sub(/ .*/, "", name)
      sub(/^[^ ]+ in /, "", rest)
      sub(/;? *do[ \t]*$/, "", rest)
      end = end_of(i, last)
      number = split(expand(rest), words, /[ \t]+/)
      for (w = 1; w <= number; w++) {
        if (words[w] == "") continue
        variables[name] = words[w]
        run(i + 1, end - 1)
      }
      i = end
    } else if (line ~ /^[A-Za-z_][A-Za-z0-9_]*=/ && line !~ /[`]|\$\(/) {
      name = line
      sub(/=.*/, "", name)
      rest = line
      sub(/^[^=]*=/, "", rest)
      variables[name] = expand(rest)
    } else if (line ~ /update-alternatives[ \t].*--install[ \t]/) {
      register(expand(line))
    }
  }
}

# The line of the `done` that ends the loop of line `start`.
function end_of(start, last,    i, depth) {
  for (i = start; i <= last; i++) {
    if (statements[i] ~ /^(for|while|until) /) depth++
    if (statements[i] ~ /^done/ && --depth == 0) return i
  }
  return last
}

# Text without quotes, with the values of the variables that are known.
function expand(text,    before, name, out) {
  gsub(/["']/, "", text)
  while (match(text, /\$(\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*)/)) {
    before = substr(text, 1, RSTART - 1)
    name = substr(text, RSTART + 1, RLENGTH - 1)
    gsub(/[{}]/, "", name)
    out = out before variables[name]
    text = substr(text, RSTART + RLENGTH)
  }
  return out text
}

# --install LINK NAME TARGET PRIORITY [--slave LINK NAME TARGET]…
function register(text,    words, number, w, priority) {
  number = split(text, words, /[ \t]+/)
  for (w = 1; w <= number; w++) {
    if (words[w] == "--install") {
      priority = words[w + 4] + 0
      print priority, words[w + 1], words[w + 3]
    } else if (words[w] == "--slave") {
      print priority, words[w + 1], words[w + 3]
    }
  }
}
