#!/bin/sh
# Installs, from Debian's packages, a C compiler, if there is none: the plugin needs nothing else.
set -eu
cd "$(dirname "$0")"
packages="gcc libc6-dev"

if make -s check-needs 2>/dev/null; then
    exit 0
fi
make -s check-needs || true # says what is missing
if ! command -v apt-get >/dev/null; then
    echo "plugin: there is no apt-get. Install a C compiler, then run \`make plugin\` again." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "plugin: only root can install packages. Run this, then \`make plugin\` again:" >&2
    echo "    sudo apt-get install $packages" >&2
    exit 1
fi
# shellcheck disable=SC2086
set -- apt-get install --yes --no-install-recommends $packages
export DEBIAN_FRONTEND=noninteractive
"$@" || { apt-get update && "$@"; } || {
    echo "plugin: apt-get could not install: $packages" >&2
    exit 1
}
make -s check-needs
