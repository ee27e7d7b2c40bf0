#!/bin/bash
# A base image from Debian's own packages, where no registry has the official one:
#
#   deploy/images/base-debian.sh localhost/mimir-base:bookworm
#   make images BASE_IMAGE=localhost/mimir-base:bookworm
#
# The Python is Debian's 3.11.2, whose tarfile has no extraction filters (PEP 706): whoever unpacks archives in it must check each member;
# nothing of ours unpacks any, and tests/deploy/test_archives.py keeps it so.
#
# Needs root, debootstrap, and docker, nerdctl or buildah (BUILDER says which). MIRROR and SECURITY_MIRROR are mirrors of
# Debian and of its security updates; DEBOOTSTRAP_FLAGS goes to debootstrap.
set -euo pipefail
name=${1:?usage: base-debian.sh <image name>}
mirror=${MIRROR:-http://deb.debian.org/debian} security=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
read -ra flags <<< "${DEBOOTSTRAP_FLAGS:-}"
. "$(dirname "$0")/builder.sh"  # before the long part: a builder that does not work is told at once
folder=$(mktemp -d)
# What debootstrap made takes half an hour over a slow line: it is kept when a later step fails.
finish() {
    local status=$?
    if [ $status -ne 0 ] && [ -s "$folder/.dockerignore" ]; then
        echo "Not built, but the file system is kept. Once the builder works: cd $folder && ${builder[*]} build -t $name ." >&2
    else
        rm -rf --one-file-system "$folder"
    fi
}
trap finish EXIT

# The packages of the official slim image that matter: certificates, names of ports, time zones; Python with its venv module.
debootstrap --variant=minbase --include=ca-certificates,netbase,python3,python3-venv,tzdata "${flags[@]}" bookworm "$folder/root" "$mirror"
cd "$folder"
printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n' "$mirror" "$mirror" "$security" > root/etc/apt/sources.list
# A TMPDIR of ours does not exist in there, and apt fails without its temporary folder.
env -u TMPDIR -u TMP -u TEMP -u TEMPDIR chroot root sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -q'
rm -rf root/var/cache/apt/* root/var/lib/apt/lists/* root/var/log/* root/usr/share/{doc,info,locale,man}/* root/tmp/*
find root -name __pycache__ -prune -exec rm -rf {} +
tar -C root --one-file-system --exclude './proc/*' --exclude './sys/*' --exclude './dev/*' -cf root.tar .
printf 'FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n' > Dockerfile
printf '*\n!root.tar\n' > .dockerignore
rm -rf --one-file-system root
"${builder[@]}" build -t "$name" .
