#!/bin/sh
# Build the images from their container files and try them, as far as this machine can: what it cannot is named, with the
# reason. For those who make releases; needs root and buildah (apt-get install buildah mmdebstrap arch-test qemu-user-static).
#   scripts/packages.sh [image] [app] [arm64]
set -eu
work=$(mktemp -d)
left=""
cannot() {
    left="$left
  $1: $2"
}
on_exit() {
    for container in $containers; do buildah rm "$container" >/dev/null 2>&1 || true; done
    for place in proc dev; do umount "$work/arm64/$place" 2>/dev/null || true; done
    rm -rf "$work"
}
containers=""
trap on_exit EXIT
most_bytes=250000000
wanted=" ${*:-image app arm64} "
can_build=""
if [ "$(id -u)" -ne 0 ]; then
    cannot images "only root may build and start them without an engine that runs"
elif ! command -v buildah >/dev/null; then
    cannot images "buildah is missing: apt-get install buildah"
else
    can_build=yes
fi

# Without a registry the base is Debian's own Python, which is what the file's base has for all that is used here.
base() {
    [ -z "${BASE-}" ] || return 0
    BASE=$(sed -n 's/^ARG BASE=//p' deploy/Containerfile.cpu)
    buildah pull --quiet "$BASE" >/dev/null 2>&1 && return 0
    echo "==> no registry answers: the base is made by mmdebstrap"
    command -v mmdebstrap >/dev/null || { cannot images "no registry answers, and mmdebstrap is missing"; can_build=""; return 0; }
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/base.tar"
    BASE=localhost/streamtag-base:bookworm
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$work/base.tar" / >/dev/null
    buildah commit --quiet "$made" "$BASE" >/dev/null
    buildah rm "$made" >/dev/null
    rm "$work/base.tar"
}

# build FILE NAME BASE: the machine's certificates and package lists are lent, for machines behind a mirror.
build() {
    buildah build --quiet --isolation chroot --network host --format docker --layers \
        --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro --volume /etc/apt:/etc/apt:ro \
        --build-arg "BASE=$3" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
        --file "$1" --tag "$2" .
}

opened() {
    container=$(buildah from --pull-never "$1")
    containers="$containers $container"
    root=$(buildah mount "$container")
}

case $wanted in *" image "* | *" app "*) [ -z "$can_build" ] || base ;; esac
case $wanted in
    *" image "*)
        if [ -n "$can_build" ]; then
            echo "==> deploy/Containerfile.cpu"
            build deploy/Containerfile.cpu localhost/streamtag:cpu "$BASE"
            opened localhost/streamtag:cpu
            bytes=$(tar -C "$root" -cf - . | gzip | wc -c)
            echo "==> $(du -sm "$root" | cut -f1) MB, $((bytes / 1000000)) MB compressed"
            [ "$bytes" -le "$most_bytes" ] || cannot image "it is larger than $((most_bytes / 1000000)) MB compressed"
            if [ -e "$root/opt/streamtag/bin/pip" ] || command -v "$root/usr/bin/gcc" >/dev/null; then
                cannot image "something that builds is left in it"
            fi
            scripts/in-root.sh "$root" sh -c 'cd /var/lib/streamtag && streamtag demo --seconds 4 --no-dashboard' >"$work/demo"
            grep -q '"kind":"scores"' "$work/demo"
            # The service by its own configuration, and the image's own look at its health.
            cp deploy/container.toml "$work/streamtag.toml"
            install -D -m 644 "$work/streamtag.toml" "$root/etc/streamtag/streamtag.toml"
            scripts/in-root.sh "$root" sh -c 'cd /var/lib/streamtag
                streamtag run /etc/streamtag/streamtag.toml & service=$!
                /opt/streamtag/bin/python /opt/streamtag/health.py tcp://127.0.0.1:5556 /etc/streamtag/keys && kill $service && wait $service'
            echo "==> it runs: read-only, as user 10001; the health check passes"
        fi
        ;;
esac
case $wanted in
    *" app "*)
        if [ -n "$can_build" ]; then
            echo "==> deploy/home-assistant/Containerfile"
            build deploy/home-assistant/Containerfile localhost/streamtag-home-assistant localhost/streamtag:cpu
            opened localhost/streamtag-home-assistant
            chroot "$root" /opt/streamtag/bin/python -P /opt/streamtag/start.py --help >/dev/null
            echo "==> it is built, and its start is there; a start with a stand-in for the Supervisor is in the tests"
        fi
        ;;
esac
case $wanted in
    *" arm64 "*)
        if [ "$(uname -m)" = aarch64 ]; then
            echo "==> this machine is of arm64 itself: make release tried it"
        elif [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null || ! command -v arch-test >/dev/null; then
            cannot arm64 "needs root, and: apt-get install mmdebstrap arch-test qemu-user-static"
        elif ! arch-test -n arm64 >/dev/null 2>&1; then
            cannot arm64 "this machine runs no programs of arm64: mount binfmt_misc and register qemu-user-static"
        else
            scripts/try-arm64.sh "$work/arm64"
        fi
        ;;
esac
cannot "the image for GPUs" "its base is the vendor's, of 10 GB; python -m deploy.report tries what it holds on a GPU's machine"
[ -z "$left" ] || echo "==> not done here:$left"
