#!/usr/bin/env bash
# Installs what some rings of tests need and a plain machine lacks; only what is missing, and only where apt is at hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The Python that the environment is made with, as the Makefile finds it; what was made once stays with its Python.
python=python3
for each in .tools/bin/python "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
  if "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$each; break; fi
done

java_17() {
  local major
  major=$(java -version 2>&1 | sed -nE 's/^[^"]*"([0-9]+).*/\1/p' | head -n 1)
  [ "${major:-0}" -ge 17 ]
}

chromium_here() { command -v chromium || command -v chromium-browser; }

python_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

# In a virtual environment they are where its Python was installed. A Python beside the distribution's own has its own package.
python_dev=$("$python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])' || true)
python_headers() {
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))'
}

# tool | who needs it | how to know that it is here | packages of which the first that apt knows is taken
TABLE="
make         | everything      | command -v make | make
python3-venv | everything      | python_venv     | python3-venv
java         | the kafka ring  | java_17         | openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless
maven        | the kafka ring  | command -v mvn  | maven
promtool     | the deploy ring | command -v promtool | prometheus
chromium     | the browser ring | chromium_here | chromium chromium-browser
cc           | the compiled ring | command -v cc | build-essential
headers      | the compiled ring | python_headers | $python_dev python3-dev
"

missing_names=() missing_candidates=()
while IFS='|' read -r name who probe candidates; do
  name=$(xargs <<<"$name")
  [ -n "$name" ] || continue
  if eval "$probe" >/dev/null 2>&1; then
    echo "tools: $name is here"
  else
    echo "tools: $name is missing; needed by $(xargs <<<"$who")"
    missing_names+=("$name")
    missing_candidates+=("$candidates")
  fi
done <<<"$TABLE"

[ "${#missing_names[@]}" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "tools: no apt here; install by other means: ${missing_names[*]}. Until then their rings are skipped."
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "tools: not root, and no sudo here; ask an administrator for: ${missing_names[*]}"; exit 1; }
  as_root=(sudo)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null; }

apt update || echo "tools: the package lists could not be refreshed; trying with the old ones"
packages=()
for candidates in "${missing_candidates[@]}"; do
  for package in $candidates; do
    if [ -n "$(apt-cache madison "$package" 2>/dev/null)" ]; then packages+=("$package"); break; fi
  done
done
[ "${#packages[@]}" -eq "${#missing_names[@]}" ] || { echo "tools: apt does not know packages for all of: ${missing_names[*]}"; exit 1; }
echo "tools: installing ${packages[*]}"
apt install --yes --no-install-recommends "${packages[@]}" >/dev/null || { echo "tools: apt could not install ${packages[*]}"; exit 1; }
