#!/bin/sh
# Run a command in a clone of this repository, in a Debian or Ubuntu made for it that has little more than git and make: as
# a new user would. Nothing of this machine is lent but its network, its certificates and what is told to pip.
#   scripts/try-root.sh SUITE root|sudo|user COMMAND…        such as: scripts/try-root.sh trixie user make demo
# `sudo` is a user who may use it without a password; `user` may not, and so python3-venv is there already.
# Needs root and mmdebstrap; for Ubuntu's suites its keys, which Debian has in ubuntu-archive-keyring.
set -eu
suite=$1
who=$2
shift 2
include=apt,ca-certificates,git,make
case $who in
    root) ;;
    sudo) include=$include,sudo ;;
    user) include=$include,python3-venv ;;
    *) echo "root, sudo or user, not $who" >&2; exit 2 ;;
esac
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"
# On Ubuntu half of what is asked for is in `universe`, which every installation of it has.
components=main
case $suite in jammy | noble | plucky | questing | resolute) components=main,universe ;; esac
mmdebstrap --quiet --variant=minbase --components="$components" --include="$include" "$suite" "$root"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
home=/root
if [ "$who" != root ]; then
    home=/home/visitor
    chroot "$root" useradd --create-home --shell /bin/sh visitor
    [ "$who" = user ] || echo "visitor ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/visitor"
fi
git clone --quiet . "$root$home/streamtag"
[ "$who" = root ] || chroot "$root" chown -R visitor: "$home/streamtag"
# shellcheck disable=SC2016  # The variables are the inner shell's.
unshare --mount --pid --ipc --fork --kill-child sh -euc '
root=$1 who=$2 home=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
account=0:0
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "$who" = root ] || { account=visitor:visitor; path=/usr/local/bin:/usr/bin:/bin; }
# This shell stays, as the first process of its namespace, which must look after processes whose parents have ended.
env -i ${PIP_CERT+"PIP_CERT=$PIP_CERT"} ${PIP_INDEX_URL+"PIP_INDEX_URL=$PIP_INDEX_URL"} \
    ${PIP_FIND_LINKS+"PIP_FIND_LINKS=$PIP_FIND_LINKS"} \
    ${NODE_EXTRA_CA_CERTS+"NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS"} \
    HOME="$home" PATH="$path" "$(command -v chroot)" --userspec="$account" "$root" \
    /bin/sh -c "cd $home/streamtag && exec \"\$@\"" sh "$@"
exit $?' sh "$root" "$who" "$home" "$@"
