#!/bin/sh
# Run a command in a root file system as its image would be run: read-only, as user 10001 without rights, folders that may
# be written in memory. For where no engine may start containers; needs root and namespaces.
#   scripts/in-root.sh ROOT COMMAND…
set -eu
# shellcheck disable=SC2016  # The variables are the inner shell's.
exec unshare --mount --pid --ipc --fork sh -c '
set -eu
root=$1
shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs "$root/var/lib/streamtag"
exec setpriv --no-new-privs chroot --userspec=10001:10001 "$root" /usr/bin/env -i \
    HOME=/var/lib/streamtag PATH=/opt/streamtag/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 "$@"' sh "$@"
