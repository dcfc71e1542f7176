#!/bin/sh
# Build the images from their container files and try them, and try a clone and the wheel where a new user would, as far as
# this machine can: what it cannot is named, with the reason. For those who make releases; after `make release`. Needs root,
# and: apt-get install buildah mmdebstrap arch-test qemu-user-static mosquitto iproute2
#   scripts/packages.sh [image] [app] [gpu] [roots] [arm64]
set -eu
work=$(mktemp -d)
chmod 755 "$work"
rows=""
now=""
containers=""
emulated=""
row() {
    rows="$rows
$(printf '  %-16s %s' "$1" "$2")"
    now=""
}
cannot() { row "$1" "not here: $2"; }
on_exit() {
    status=$?
    for container in $containers; do buildah rm "$container" >/dev/null 2>&1 || true; done
    [ -z "$emulated" ] || echo -1 >/proc/sys/fs/binfmt_misc/qemu-aarch64
    rm -rf --one-file-system "$work"
    [ "$status" -eq 0 ] || row "${now:-start}" "FAILED, as said above"
    echo "==> what was built and tried:$rows"
}
trap on_exit EXIT
trap 'exit 143' INT TERM
most_bytes=250000000
wanted=" ${*:-image app gpu roots arm64} "
is_wanted() {
    case $wanted in *" $1 "*) ;; *) return 1 ;; esac
    now=$1
    echo "==> $1"
}
can_build=""
lacks=""
if [ "$(id -u)" -ne 0 ]; then
    lacks="needs root, which builds and starts without an engine that runs"
elif ! command -v buildah >/dev/null; then
    lacks="needs buildah: apt-get install buildah"
else
    can_build=yes
fi

# Without a registry the base is Debian's own Python, which is what the file's base has for all that is used here, without
# the pages that the file's base goes without too.
BASE=""
base() {
    [ -z "$BASE" ] || return 0
    BASE=$(sed -n 's/^ARG BASE=//p' deploy/Containerfile.cpu)
    timeout 60 buildah pull --quiet "$BASE" >/dev/null 2>&1 && return 0
    BASE=localhost/streamtag-base:bookworm
    buildah inspect --type image "$BASE" >/dev/null 2>&1 && return 0
    echo "==> no registry answers: the base is made by mmdebstrap, once; for a new one: buildah rmi $BASE"
    command -v mmdebstrap >/dev/null || { can_build=""; lacks="no registry answers, and there is no mmdebstrap"; return 0; }
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$work/base.tar"
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
        --file "$1" --tag "$2" . >/dev/null
}

opened() {
    container=$(buildah from --pull-never "$1")
    containers="$containers $container"
    root=$(buildah mount "$container")
}

# measured: how large the root file system is, and how large as a download.
measured() {
    bytes=$(tar -C "$root" -cf - . | gzip | wc -c)
    size="$(du -sm "$root" | cut -f1) MB, $((bytes / 1000000)) MB compressed"
}

# gave_scores STATUS: what the demo in $work/demo ended with, and that it heard something; else it is shown.
gave_scores() {
    [ "$1" -eq 0 ] && grep -q '"kind":"scores"' "$work/demo" && return
    cat "$work/log" "$work/demo" >&2
    echo "the demo ended with status $1$(grep -q '"kind":"scores"' "$work/demo" || echo ', without scores')" >&2
    exit 1
}

# served HEALTH…: the demo, and the service by the image's own configuration, looked at as HEALTHCHECK does; read-only, as
# user 10001.
served() {
    scripts/in-root.sh "$root" sh -c 'cd /var/lib/streamtag && streamtag demo --seconds 8 --no-dashboard' \
        >"$work/demo" 2>"$work/log" && ended=0 || ended=$?
    gave_scores "$ended"
    install -D -m 644 deploy/container.toml "$root/etc/streamtag/streamtag.toml"
    scripts/in-root.sh "$root" sh -c 'cd /var/lib/streamtag
        streamtag run /etc/streamtag/streamtag.toml & service=$!
        "$@" tcp://127.0.0.1:5556 /etc/streamtag/keys && kill $service && wait $service' sh "$@" 2>"$work/log" ||
        { cat "$work/log" >&2; return 1; }
}

for wheel in dist/*.whl; do
    [ -e "$wheel" ] || { echo "there is no wheel in dist/: make release" >&2; exit 1; }
    row wheel "$(($(wc -c <"$wheel") / 1000)) kB; tried in an environment of its own"
done

if is_wanted image; then
    [ -z "$can_build" ] || base
    if [ -n "$can_build" ]; then
        build deploy/Containerfile.cpu localhost/streamtag:cpu "$BASE"
        opened localhost/streamtag:cpu
        measured
        [ "$bytes" -le "$most_bytes" ] || { echo "$size: larger than $((most_bytes / 1000000)) MB" >&2; exit 1; }
        for tool in opt/streamtag/bin/pip usr/bin/gcc usr/bin/make; do
            [ ! -e "$root/$tool" ] || { echo "what builds is left in the image: /$tool" >&2; exit 1; }
        done
        served /opt/streamtag/bin/python /opt/streamtag/health.py
        row image "$size; demo, service, health check: read-only, as user 10001; base $BASE"
    else
        cannot image "$lacks"
    fi
fi

if is_wanted app; then
    if [ -z "$can_build" ]; then
        cannot app "$lacks"
    elif ! buildah images --quiet localhost/streamtag:cpu >/dev/null 2>&1; then
        cannot app "stands on the image for the CPU: scripts/packages.sh image app"
    else
        build deploy/home-assistant/Containerfile localhost/streamtag-home-assistant localhost/streamtag:cpu
        opened localhost/streamtag-home-assistant
        measured
        if command -v mosquitto >/dev/null && command -v ip >/dev/null; then
            unshare --mount --net --pid --ipc --fork --kill-child python3 scripts/try_app.py "$root"
            row app "$size; options, broker, ingress, watchdog, SIGTERM with a stand-in for the Supervisor"
        else
            cannot app "built ($size), not started: apt-get install mosquitto iproute2"
        fi
    fi
fi

# The vendor's base is of 10 GB and behind its own registry: the steps are tried on the other base, where no GPU is found.
if is_wanted gpu; then
    [ -z "$can_build" ] || base
    if [ -n "$can_build" ]; then
        build deploy/Containerfile.gpu localhost/streamtag:gpu-steps "$BASE"
        opened localhost/streamtag:gpu-steps
        served /opt/streamtag/bin/python -m deploy.health
        row gpu "its steps on $BASE, where it runs on the CPU; not here: its own base, and a GPU (deploy.gpu_report)"
    else
        cannot gpu "$lacks"
    fi
fi

# in_bare SUITE WHO: make demo in a clone in a bare root.
in_bare() {
    scripts/try-root.sh "$1" "$2" make demo ARGS="--seconds 8 --no-dashboard" >"$work/demo" 2>"$work/log" &&
        ended=0 || ended=$?
    gave_scores "$ended"
    row "$1, $2" "make demo in a clone, $(grep -ho 'with Python .*' "$work/demo" "$work/log" | head -1)"
}

# What pip takes where nothing is pinned: the newest releases, of which some are for the newest Python alone.
with_newest() {
    scripts/try-root.sh "$1" user sh -euc 'python3 -m venv "$HOME/new"
        "$HOME/new/bin/python" -m pip install --quiet --disable-pip-version-check ".[dashboard,mqtt]"
        mkdir "$HOME/trial" && scripts/try-wheel.sh "$HOME/new/bin" "$HOME/trial"
        "$HOME/new/bin/python" --version' >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    row "$1, newest" "the wheel with the newest releases of all that it needs, $(tail -1 "$work/log")"
}

if is_wanted roots; then
    if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null; then
        cannot roots "needs root, and: apt-get install mmdebstrap"
    else
        in_bare bookworm root
        in_bare bookworm user
        in_bare trixie sudo
        with_newest trixie
        if [ -e /usr/share/keyrings/ubuntu-archive-keyring.gpg ]; then
            in_bare noble sudo
        else
            cannot "noble, sudo" "Ubuntu's keys are not there: /usr/share/keyrings/ubuntu-archive-keyring.gpg"
        fi
    fi
fi

# Let the kernel start programs of arm64 until the end of this, if it does not do so yet.
emulates() {
    arch-test arm64 >/dev/null 2>&1 && return
    rule=/usr/lib/binfmt.d/qemu-aarch64.conf
    [ -e "$rule" ] && [ -w /proc/sys/fs/binfmt_misc/register ] || return
    cat "$rule" >/proc/sys/fs/binfmt_misc/register || return
    emulated=yes
    arch-test arm64 >/dev/null 2>&1
}

if is_wanted arm64; then
    if [ "$(uname -m)" = aarch64 ]; then
        row arm64 "this machine is one: all of the above"
    elif [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null || ! command -v arch-test >/dev/null; then
        cannot arm64 "needs root, and: apt-get install mmdebstrap arch-test qemu-user-static"
    elif ! emulates; then
        cannot arm64 "no program of arm64 starts: apt-get install qemu-user-static, and mount binfmt_misc"
    else
        scripts/try-arm64.sh "$work/arm64" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
        tail -1 "$work/log"
        row arm64 "emulated: wheels, doctor, tag, $(grep -Eo '[0-9]+ passed' "$work/log") tests; no speed: streamtag bench on a Pi"
    fi
fi
