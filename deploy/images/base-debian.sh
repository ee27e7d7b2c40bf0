#!/bin/bash
# Build a base image from Debian packages, for use without a registry:
#
#   deploy/images/base-debian.sh localhost/mimir-base:bookworm
#   make images BASE_IMAGE=localhost/mimir-base:bookworm
#
# The Python is Debian's 3.11.2, whose tarfile has no extraction filters (PEP 706): code that unpacks
# archives must check each member. Mimir unpacks none; tests/deploy/test_archives.py checks that.
#
# Needs root, debootstrap, and docker, nerdctl or buildah (set BUILDER to choose). MIRROR and SECURITY_MIRROR are mirrors of
# Debian and of its security updates; DEBOOTSTRAP_FLAGS goes to debootstrap.
set -euo pipefail
name=${1:?usage: base-debian.sh <image name>}
mirror=${MIRROR:-http://deb.debian.org/debian} security=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
read -ra flags <<< "${DEBOOTSTRAP_FLAGS:-}"
. "$(dirname "$0")/builder.sh"  # first, so that a missing builder is reported before the long part
folder=$(mktemp -d)
# debootstrap takes half an hour over a slow connection: keep its result when a later step fails.
finish() {
    local status=$?
    if [ $status -ne 0 ] && [ -s "$folder/.dockerignore" ]; then
        echo "Not built, but the file system is kept. Once the builder works: cd $folder && ${builder[*]} build -t $name ." >&2
    else
        rm -rf --one-file-system "$folder"
    fi
}
trap finish EXIT

# The required packages of the official slim image, and Python with its venv module.
debootstrap --variant=minbase --include=ca-certificates,netbase,python3,python3-venv,tzdata "${flags[@]}" bookworm "$folder/root" "$mirror"
cd "$folder"
printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n' "$mirror" "$mirror" "$security" > root/etc/apt/sources.list
# Our TMPDIR does not exist in the chroot, and apt fails without its temporary folder.
env -u TMPDIR -u TMP -u TEMP -u TEMPDIR chroot root sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -q'
rm -rf root/var/cache/apt/* root/var/lib/apt/lists/* root/var/log/* root/usr/share/{doc,info,locale,man}/* root/tmp/*
find root -name __pycache__ -prune -exec rm -rf {} +
tar -C root --one-file-system --exclude './proc/*' --exclude './sys/*' --exclude './dev/*' -cf root.tar .
printf 'FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n' > Dockerfile
printf '*\n!root.tar\n' > .dockerignore
rm -rf --one-file-system root
"${builder[@]}" build -t "$name" .
