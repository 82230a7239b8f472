#!/usr/bin/env bash
# Installs what `npm run demo`, `npm test` and `npm run bench` need and lacks: Debian's packages (as root), npm's packages, the
# addon, dist/. Quiet, once, and says what it did; with nothing to do it takes a moment. What it cannot install it names: the
# tests that need it skip with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup: $*"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# One at a time: `npm test` beside `npm run demo` would install and compile into the same place.
if command -v flock >/dev/null 2>&1; then
  exec 9<package.json
  flock 9 || true
fi

# What each program is for is in docs/dependencies.md.
packages=(
  make:make g++:g++ python3:python3 ip:iproute2 iperf3:iperf3 ping:iputils-ping tcpdump:tcpdump tshark:tshark
  ethtool:ethtool clang-format:clang-format nft:nftables iptables:iptables nc:netcat-openbsd
  wg:wireguard-tools wireguard-go:wireguard-go etcd:etcd-server etcdctl:etcd-client openssl:openssl
)

node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || {
  say "Node $(node --version) is too old: vtepd needs 20.19 or newer"
  exit 1
}

missing=()
for pair in "${packages[@]}"; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair##*:}")
done
/usr/bin/python3 -c 'import scapy' >/dev/null 2>&1 || missing+=(python3-scapy)
[ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    install() { apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null 9<&-; }
    if install || { apt-get update -qq >"$log" 2>&1 && install; }; then
      say "installed Debian packages: ${missing[*]}"
      # Debian starts a server with the package; the tests have their own.
      case " ${missing[*]} " in
        *" etcd-server "*) [ ! -d /run/systemd/system ] || systemctl disable --now --quiet etcd >/dev/null 2>&1 || true ;;
      esac
    else
      tail -n 5 "$log" >&2
      say "could not install: ${missing[*]}; what needs them is skipped"
    fi
  else
    say "not root, so not installed: ${missing[*]}; what needs them is skipped"
  fi
fi

stamp=node_modules/.vtepd-setup
lock=$(sha256sum package-lock.json | cut -d ' ' -f 1)-$(node -p process.versions.modules)
if [ "$(cat "$stamp" 2>/dev/null)" != "$lock" ]; then
  # The addon is built below, where its errors are seen. NODE_ENV=production must not leave out what compiles and tests.
  if ! npm ci --include=dev --ignore-scripts --no-audit --no-fund >"$log" 2>&1 </dev/null 9<&-; then
    cat "$log" >&2
    say "npm ci failed; see above"
    exit 1
  fi
  echo "$lock" >"$stamp"
  say "installed npm packages"
fi

newer() { [ ! -e "$1" ] || [ -n "$(find "${@:2}" -newer "$1" -print -quit)" ]; }

if newer build/Release/vtepd.node native binding.gyp scripts/build-native.mjs package-lock.json; then
  node scripts/build-native.mjs 9<&-
  touch build/Release/vtepd.node
  say "built the addon"
fi
if newer dist/.built src tsconfig.json tsconfig.build.json scripts/build-dist.mjs package-lock.json; then
  node scripts/build-dist.mjs
  say "compiled src to dist"
fi
