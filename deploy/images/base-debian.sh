#!/bin/bash
# A base image from Debian's own packages, where no registry has the official one:
#
#   deploy/images/base-debian.sh localhost/mimir-base:bookworm
#   make images BASE_IMAGE=localhost/mimir-base:bookworm
#
# Needs root, debootstrap, and docker, nerdctl or buildah (BUILDER says which). MIRROR and SECURITY_MIRROR are mirrors of
# Debian and of its security updates; DEBOOTSTRAP_FLAGS goes to debootstrap.
set -euo pipefail
name=${1:?usage: base-debian.sh <image name>}
mirror=${MIRROR:-http://deb.debian.org/debian} security=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
read -ra flags <<< "${DEBOOTSTRAP_FLAGS:-}"
read -ra builder <<< "${BUILDER:-}"
for candidate in docker nerdctl buildah; do
    [ -n "${builder[*]}" ] || ! command -v "$candidate" >/dev/null || builder=("$candidate")
done
[ -n "${builder[*]}" ] || { echo "No docker, nerdctl or buildah is here. On Debian: apt-get install buildah" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT

# The packages of the official slim image that matter: certificates, names of ports, time zones; Python with its venv module.
debootstrap --variant=minbase --include=ca-certificates,netbase,python3,python3-venv,tzdata "${flags[@]}" bookworm "$folder/root" "$mirror"
cd "$folder"
printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n' "$mirror" "$mirror" "$security" > root/etc/apt/sources.list
chroot root sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -q'
rm -rf root/var/cache/apt/* root/var/lib/apt/lists/* root/var/log/* root/usr/share/{doc,info,locale,man}/* root/tmp/*
find root -name __pycache__ -prune -exec rm -rf {} +
tar -C root --one-file-system --exclude './proc/*' --exclude './sys/*' --exclude './dev/*' -cf root.tar .
printf 'FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n' > Dockerfile
printf '*\n!root.tar\n' > .dockerignore
"${builder[@]}" build -t "$name" .
