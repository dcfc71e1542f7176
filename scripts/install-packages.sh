#!/bin/sh
# Install the Debian or Ubuntu packages that are missing: for the program alone (`run`), or for the tests too (`test`).
# Without the right to install it prints the one command to type; then `run` goes on and `test` fails.
# shellcheck disable=SC2086  # Lists of names fall apart into words on purpose.
set -eu

for_program="libportaudio2"
# The tests start a sound server, an RTSP and an Icecast server and a browser.
for_tests="alsa-utils espeak-ng ffmpeg gcc gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-rtsp gstreamer1.0-tools icecast2
    libasound2-plugins libc6-dev libzmq3-dev mosquitto nats-server nodejs npm openssl procps prometheus pulseaudio pulseaudio-utils python3-gi strace systemd"
# Ubuntu's browser is a snap, which servers and containers cannot run: there the Makefile takes Playwright's own.
case $(sed -n 's/^ID=//p' /etc/os-release) in
    ubuntu) ;;
    debian) for_tests="$for_tests chromium-headless-shell" ;;
    *) for_tests="$for_tests chromium" ;;
esac

has() {
    case $1 in
        # Often installed by other means than the package.
        chromium | espeak-ng | ffmpeg) command -v "$1" >/dev/null && return ;;
        chromium-headless-shell) { command -v "$1" || command -v chromium; } >/dev/null && return ;;
        nodejs) command -v node >/dev/null && return ;;
        npm) command -v npm >/dev/null && return ;;
    esac
    dpkg-query --show --showformat '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

case ${1-} in
    run) wanted=$for_program ;;
    test) wanted="$for_program $for_tests" ;;
    *) echo "usage: $0 run|test" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
    echo "==> not a Debian or Ubuntu system: these packages, or what is like them, must be there:" $wanted
    exit 0
fi

missing=""
for package in $wanted; do
    has "$package" || missing="$missing $package"
done
"${PYTHON:-python3}" -c "import ensurepip, venv" 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "==> Debian packages are missing. Type:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    [ "$1" = run ] && [ "$missing" = " libportaudio2" ] || exit 1
    echo "==> going on without: microphones will not work" >&2
    exit 0
fi

echo "==> installing Debian packages:$missing"
$as_root apt-get update -qq </dev/null || echo "==> apt-get update failed; trying with the lists that are there" >&2
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing </dev/null
