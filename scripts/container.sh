#!/usr/bin/env bash
# Builds the container without a Docker daemon and proves it: it answers a chat request as a user that is not root, its
# health check passes, and it ends on SIGTERM within its grace period.
#
#   scripts/container.sh             build and prove
#   scripts/container.sh build       build only; the image is localhost/tidegate
#
# Needs buildah, and debootstrap where no image can be pulled (Debian: apt-get install buildah debootstrap). Run as root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
IMAGE=localhost/tidegate
BASE=docker.io/library/debian:12-slim
NODE=docker.io/library/node:24-slim
work="$(mktemp -d)"
container=""
runner=""
server=""
cleanup() {
  for pid in $server $runner; do kill -TERM "$pid" 2>/dev/null || true; done
  [ -z "$container" ] || buildah rm "$container" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

step() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'container: %s\n' "$*" >&2; exit 1; }

# --- base images ---------------------------------------------------------------------------------------------------

# A Debian root from the package mirror of this machine, and the same with this machine's npm and the pinned Node.
make_bases() {
  step "no image can be pulled: making base images with debootstrap"
  command -v debootstrap >/dev/null || fail "debootstrap is missing"
  if ! buildah inspect --type image localhost/tidegate-base >/dev/null 2>&1; then
    local mirror
    # Where apt gets its packages from, in either format of its lists; empty = debootstrap's own default.
    mirror="$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null \
      | grep -vE '^ *#' | grep -oE 'https?://[^ ]+' | grep -v security | head -n 1 || true)"
    debootstrap --variant=minbase --include=libstdc++6,ca-certificates bookworm "$work/root" ${mirror:+"$mirror"} >"$work/log" 2>&1 \
      || { tail -n 20 "$work/log" >&2; fail "debootstrap failed"; }
    rm -rf "$work/root/var/cache/apt" "$work/root/var/lib/apt/lists" "$work/root/usr/share/doc" "$work/root/usr/share/man" "$work/root/usr/share/locale"
    local new
    new="$(buildah from scratch)"
    buildah add -q "$new" "$work/root" / >/dev/null
    buildah commit -q "$new" localhost/tidegate-base >/dev/null
    buildah rm "$new" >/dev/null
  fi
  if ! buildah inspect --type image localhost/tidegate-node >/dev/null 2>&1; then
    local new npm
    npm="$(npm root -g)/npm"
    new="$(buildah from localhost/tidegate-base)"
    buildah copy -q "$new" node_modules/node-linux-*/bin/node /usr/local/bin/node >/dev/null
    buildah copy -q "$new" "$npm" /usr/local/lib/npm >/dev/null
    # A machine behind a proxy with its own authority: the build must trust what this machine trusts.
    buildah copy -q "$new" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt >/dev/null
    buildah run "$new" -- ln -s /usr/local/lib/npm/bin/npm-cli.js /usr/local/bin/npm
    buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$new"
    buildah commit -q "$new" localhost/tidegate-node >/dev/null
    buildah rm "$new" >/dev/null
  fi
  BASE=localhost/tidegate-base NODE=localhost/tidegate-node
}

if ! { timeout 60 buildah pull -q "$BASE" && timeout 120 buildah pull -q "$NODE"; } >/dev/null 2>&1; then make_bases; fi

# --- build ---------------------------------------------------------------------------------------------------------

step "building $IMAGE"
buildah bud -q --format docker --build-arg "BASE=$BASE" --build-arg "NODE=$NODE" -t "$IMAGE" . >/dev/null
buildah images --format '{{.Name}} {{.Size}}' | grep -E '^localhost/tidegate ' >&2
[ "${1:-prove}" = prove ] || exit 0

# --- prove ---------------------------------------------------------------------------------------------------------

port="$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')"
container="$(buildah from "$IMAGE")"
key=container-proof-key

step "without a key it refuses to start"
if buildah run "$container" -- bun run /app/src/cli/main.ts serve >/dev/null 2>"$work/refused"; then fail "it started without a key"; fi
grep -q -- --api-key "$work/refused" || fail "the refusal does not say how to go on: $(cat "$work/refused")"

step "it answers a chat request"
# `buildah run` does not take the entry point of the image; these are its words.
buildah run --env "TIDEGATE_PORT=$port" --env "TIDEGATE_API_KEY=$key" "$container" -- bun run /app/src/cli/main.ts serve 2>"$work/server.log" &
runner=$!
for _ in $(seq 120); do
  curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break
  kill -0 "$runner" 2>/dev/null || { cat "$work/server.log" >&2; fail "it ended"; }
  sleep 0.5
done
# The program itself, not the shells around it.
server="$(pgrep -f "^/usr/local/bin/bun run /app/src/cli/main.ts serve" | tail -n 1 || true)"
[ -n "$server" ] || fail "its process was not found"
answer="$(curl -sS "http://127.0.0.1:$port/v1/chat/completions" -H "authorization: Bearer $key" -H 'content-type: application/json' \
  -d '{"model":"tide-nano","messages":[{"role":"user","content":"What is 17 + 25?"}],"temperature":0}')"
printf '%s\n' "$answer" | cut -c 1-300 >&2
printf '%s' "$answer" | grep -q '"role":"assistant"' || fail "no answer"

step "it is not root"
uid="$(awk '/^Uid:/ { print $2 }' "/proc/$server/status")"
[ "$uid" = 10001 ] || fail "it runs as user $uid"

step "its health check passes"
buildah run --env "TIDEGATE_PORT=$port" "$container" -- bun run /app/deploy/healthcheck.ts || fail "the health check failed"

step "it ends on SIGTERM within its grace period"
begin="$(date +%s)"
kill -TERM "$server"
code=0
wait "$runner" || code=$?
runner="" server=""
took=$(($(date +%s) - begin))
[ "$code" = 0 ] || { tail -n 5 "$work/server.log" >&2; fail "it ended with $code"; }
[ "$took" -le 40 ] || fail "it took $took s"
grep -q draining "$work/server.log" || fail "it did not drain"
printf '\ncontainer: built, answered as user %s, ended in %s s\n' "$uid" "$took"
