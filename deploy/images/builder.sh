# Sourced by build.sh and base-debian.sh. Sets `builder` to BUILDER, or to the first of docker, nerdctl and
# buildah that works. `info` checks that the daemon of docker or nerdctl runs; buildah has none.

works() {
    command -v "$1" >/dev/null || return 1
    [ "$1" = buildah ] || timeout 20 "$@" info >/dev/null 2>&1
}

read -ra builder <<< "${BUILDER:-}"
if [ ${#builder[@]} -gt 0 ]; then
    works "${builder[@]}" || { echo "BUILDER=\"$BUILDER\" does not work here: is it installed, and does its daemon run? Try: ${builder[*]} info" >&2; exit 1; }
else
    for candidate in docker nerdctl buildah; do
        if works "$candidate"; then
            builder=("$candidate")
            break
        fi
        ! command -v "$candidate" >/dev/null || echo "$candidate is installed, but its daemon does not answer ($candidate info)" >&2
    done
fi
[ ${#builder[@]} -gt 0 ] || { echo "No docker, nerdctl or buildah works here. On Debian: apt-get install buildah" >&2; exit 1; }
