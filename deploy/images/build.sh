#!/bin/bash
# Builds the images with docker, nerdctl or buildah, whichever is there first, and prints their sizes. `make images` runs this.
#
#   IMAGE_PREFIX  what stands before /orchestrator, /frontend, /worker; a registry's name too (mimir-aip)
#   TAG           latest
#   BASE_IMAGE    another base with Python 3.11, its venv module and CA certificates (each Dockerfile names the official one)
#   IMAGES        which to build (orchestrator frontend worker)
#   BUILDER       docker, nerdctl or buildah, with flags of its own where it needs some: "nerdctl --namespace k8s.io"
#   BUILD_FLAGS   more flags for each build
#                 Where nothing may be mounted, in a container for one: BUILDER="buildah --storage-driver vfs" BUILD_FLAGS="--isolation chroot"
#   HTTP_PROXY, HTTPS_PROXY, NO_PROXY, PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST   handed to the build, in no image
set -euo pipefail
cd "$(dirname "$0")/../.."
export BASE_IMAGE=${BASE_IMAGE:-} REVISION VERSION SOURCE
prefix=${IMAGE_PREFIX:-mimir-aip} tag=${TAG:-latest}
read -ra images <<< "${IMAGES:-orchestrator frontend worker}"
read -ra flags <<< "${BUILD_FLAGS:-}"

. deploy/images/builder.sh

VERSION=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' mimir/lib/version.py)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || REVISION=$REVISION-changed
SOURCE=$(git remote get-url origin 2>/dev/null | sed -E 's#//[^/@]*@#//#' || true)
SOURCE=${SOURCE:-unknown}

# Given by name alone, a build argument takes its value from our environment: no value stands in a list of processes.
for name in BASE_IMAGE VERSION REVISION SOURCE HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
    [ -z "${!name:-}" ] || flags+=(--build-arg "$name")
done

size() {
    if [ "${builder[0]}" = buildah ]; then
        "${builder[@]}" images --format '{{.Size}}' "$1"
    else
        "${builder[@]}" image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f MB\n", $1 / 1e6 }'
    fi
}

for image in "${images[@]}"; do
    echo "building $prefix/$image:$tag with ${builder[*]}"
    "${builder[@]}" build "${flags[@]}" -t "$prefix/$image:$tag" -f "deploy/images/$image/Dockerfile" .
done
for image in "${images[@]}"; do
    printf '%-40s %s\n' "$prefix/$image:$tag" "$(size "$prefix/$image:$tag")"
done
