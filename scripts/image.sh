#!/usr/bin/env bash
# Builds the image without Docker and looks at it: a core in machine code, and nothing left of what made it; number 10001, a
# read-only root, a clean end on SIGTERM, no secrets inside.
#   make image                          on a base that mmdebstrap makes (Debian with its Python)
#   make image PYTHON_IMAGE=python:3.12-slim-bookworm
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in buildah unshare; do
  command -v "$tool" >/dev/null || { echo "image: $tool is missing; on Debian: apt-get install buildah mmdebstrap" >&2; exit 1; }
done
[ "$(id -u)" -eq 0 ] || { echo "image: needs root, to mount what it has built and look at it" >&2; exit 1; }

export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
work=$(mktemp -d)
builder() { buildah --root "$work/store" --runroot "$work/run" "$@"; }
container="" process=""
tidy() {
  [ -z "$process" ] || kill -KILL "$process" 2>/dev/null || true
  [ -z "$container" ] || builder rm "$container" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap tidy EXIT
say() { echo "image: $*"; }
refuse() { echo "image: $*" >&2; exit 1; }

base=${PYTHON_IMAGE:-} arguments=()
if [ -z "$base" ]; then
  command -v mmdebstrap >/dev/null || refuse "mmdebstrap is missing, and no PYTHON_IMAGE is named"
  say "making a base of Debian with its Python"
  mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/base.tar" 2>/dev/null
  printf 'FROM scratch\nADD base.tar /\n' >"$work/Base"
  builder bud --quiet --tag localhost/base --file "$work/Base" "$work" >/dev/null
  base=localhost/base
  # Debian's Python has its headers apart from it.
  arguments=(--build-arg "COMPILER=gcc libc6-dev python3-dev")
fi

say "building on $base"
builder bud --format docker --build-arg "PYTHON_IMAGE=$base" "${arguments[@]}" --volume /etc/ssl/certs:/etc/ssl/certs:ro --tag localhost/vestnik . \
  >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; refuse "it does not build"; }

container=$(builder from --pull-never localhost/vestnik)
root=$(builder mount "$container")
inspected() { builder inspect --type image --format "$1" localhost/vestnik; }
[ "$(inspected '{{.Docker.Config.User}}')" = 10001:10001 ] || refuse "it would not run as 10001"
[ "$(inspected '{{index .Docker.Config.Entrypoint 0}}')" = vestnik ] || refuse "its entry point is not vestnik, started without a shell"
[ -n "$(inspected '{{.Docker.Config.Healthcheck}}')" ] || refuse "it has no health check"
! inspected '{{.Docker.Config.Env}}' | grep -Eqi 'secret|token|password|api_?key' || refuse "its environment holds a secret"
[ -z "$(find "$root" -xdev -perm /6000 -path '*/opt/*')" ] || refuse "something of ours would run as somebody else"
left=$(find "$root/opt" "$root/usr/bin" -name mypy -o -name hatchling -o -name setuptools -o -name gcc -o -name cc)
[ -z "$left" ] || refuse "what only the build needs is in it: $left"
code=$(awk -F, '$1 ~ /\.so$/ {bytes += $NF} END {printf "%.1f", bytes / 1e6}' "$root"/opt/vestnik/lib/python*/site-packages/vestnik-*.dist-info/RECORD)
say "$(du -sm "$root/opt/vestnik" | cut -f1) MB of ours with all that it imports; the core's machine code is $code of them"

mkdir -p "$work/config/routes"
cat >"$work/config/vestnik.yaml" <<'YAML'
topics: {sources: [shop.orders]}
shops:
  ducky: {slug: ducky}
lanes:
  look:
    provider: {type: console}
    mode: live
routes: routes
YAML
cat >"$work/config/routes/look.yaml" <<'YAML'
- id: order-paid
  on: order.paid
  lane: look
  ttl: 3h
  wordings: [{title: "Order {{ order.id }} is paid", text: "Thank you"}]
  examples: [{event: ../events.jsonl, expect: {title: "Order M-428 is paid"}}]
YAML
echo '{"type":"order.paid","version":1,"occurred_at":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'","shop":"ducky","customer":{"id":"1"},"order":{"id":"M-428"}}' \
  >"$work/config/events.jsonl"
chmod -R a+rX "$work/config" && chmod a+x "$work"

# It shares this machine's loopback, where the usual port may be somebody's.
VESTNIK_ADMIN_PORT=$(shuf -i 20000-31999 -n 1)
export VESTNIK_ADMIN_PORT
# A command and not a function, so that the process behind `$!` is the one that hears the signal: each step becomes the next.
# shellcheck disable=SC2016
inside=(unshare --mount bash -ec '
  root=$1 config=$2; shift 2
  mount --bind "$root" "$root" && mount -o remount,bind,ro "$root"
  mount -t tmpfs tmpfs "$root/tmp" && mount -t tmpfs tmpfs "$root/var/tmp" && mount --bind "$config" "$root/etc/vestnik"
  mount -t proc proc "$root/proc"
  exec chroot --userspec=10001:10001 --groups= "$root" \
    /usr/bin/env -i PATH=/opt/vestnik/bin:/usr/bin VESTNIK_CONFIG=/etc/vestnik/vestnik.yaml \
    VESTNIK_ADMIN_PORT="$VESTNIK_ADMIN_PORT" "$@"' - "$root" "$work/config")
version=$("${inside[@]}" vestnik version) || refuse "vestnik does not start on a read-only root"
[[ $version == *"compiled core"* ]] || refuse "its core is not compiled: it says \"$version\""
core=$("${inside[@]}" python -c 'import consumer.core.memory; print(consumer.core.memory.__file__)')
[[ $core == /opt/vestnik/*.so ]] || refuse "its core is not machine code: $core"
! "${inside[@]}" sh -c 'touch /etc/vestnik/here /opt/vestnik/here' 2>/dev/null || refuse "its root can be written"

"${inside[@]}" vestnik run --lines /etc/vestnik/events.jsonl --out /var/tmp/out >"$work/run.log" 2>&1 &
process=$!
for _ in $(seq 120); do grep -q M-428 "$work/run.log" && break; sleep 0.5; done
grep -q "M-428" "$work/run.log" || { cat "$work/run.log"; refuse "nobody was told within a minute"; }
"${inside[@]}" vestnik health >/dev/null || refuse "its health check fails while it works"
kill -TERM "$process"
code=0; wait "$process" || code=$?
process=""
[ "$code" -eq 0 ] || { tail -n 5 "$work/run.log"; refuse "it ended with $code on SIGTERM"; }
say "built; runs as 10001 on a read-only root, tells, is healthy, and ends cleanly on SIGTERM"
