# Sourced by scripts/demo and scripts/test: make this computer able to run nixgen. Idempotent; prints what it installs.
# shellcheck shell=bash

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

# Debian packages that are not installed yet, out of those named.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

# Install Debian packages, or say exactly what an administrator has to run.
need_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "these Debian packages are missing; as root, run:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 3
  fi
  say "installing with apt: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# apt's package lists are what the Debian base is resolved from.
need_package_lists() {
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "apt has no package lists yet; as root, run: apt-get update" >&2
    exit 3
  fi
  say "fetching apt's package lists"
  apt-get update -qq
}

# Whether $1 is a Python that nixgen runs on.
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# A virtual environment with nixgen from this checkout; $1 names the extras. PYTHON, or Debian's own, or what is on PATH.
need_nixgen() {
  local python=${PYTHON:-/usr/bin/python3} version wanted
  [ -n "${PYTHON:-}" ] || new_enough "$python" || python=python3
  if ! new_enough "$python"; then
    echo "nixgen needs Python 3.11 or newer; on Debian 12: apt-get install python3" >&2
    exit 3
  fi
  "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
  version=$("$python" --version)
  wanted="$1 $version $(sha256sum <pyproject.toml)"
  if [ "$(cat .venv/.nixgen-ready 2>/dev/null)" != "$wanted" ]; then
    say "installing nixgen[$1] and what it needs from PyPI into .venv"
    [ "$(.venv/bin/python --version 2>/dev/null)" = "$version" ] || "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$1]"
    echo "$wanted" >.venv/.nixgen-ready
  fi
}
