#!/bin/bash
# Build the images with the first of docker, nerdctl and buildah that works, and print their sizes.
# `make images` runs this. Environment variables, with defaults in parentheses:
#
#   IMAGE_PREFIX  prefix of /orchestrator, /frontend and /worker, with the registry's name (mimir-aip)
#   TAG           tag of the images (latest)
#   BASE_IMAGE    base image with Python 3.11, its venv module and CA certificates (official slim image)
#   IMAGES        images to build (orchestrator frontend worker)
#   BUILDER       docker, nerdctl or buildah, with its flags: "nerdctl --namespace k8s.io"
#   BUILD_FLAGS   more flags for each build. In a container without the right to mount:
#                 BUILDER="buildah --storage-driver vfs" BUILD_FLAGS="--isolation chroot"
#   HTTP_PROXY, HTTPS_PROXY, NO_PROXY, PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST
#                 passed to the build, stored in no image
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

# A build argument without a value is read from the environment, so no value is in the process list.
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
