#!/bin/sh
# First process of a pretend host, in mount, pid, uts, ipc, net and cgroup namespaces of its own.
# usage: host_init.sh ROOT HOSTNAME [NAME:MAJOR:MINOR:VOLUME ...]
# Gives the root what a kernel gives a machine (proc, sys, dev, its disks), goes there and becomes
# systemd. Nothing here is visible outside these namespaces.
set -e
root=$1
hostname "$2"
shift 2

mount --make-rslave / # hear of other hosts' ends until our own root is in place
mount --rbind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"

dev=$root/dev
for name in null zero full random urandom tty; do
  : > "$dev/$name"
  mount --bind "/dev/$name" "$dev/$name"
done
mkdir -p "$dev/pts" "$dev/shm" "$dev/disk/by-id"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$dev/shm"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
ln -s fd/0 "$dev/stdin"
ln -s fd/1 "$dev/stdout"
ln -s fd/2 "$dev/stderr"

# Its own disks and no others, by the names that Linux gives EBS volumes on Nitro instances.
mount -t tmpfs -o mode=755 tmpfs "$root/sys/block"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/dev/block"
for disk in "$@"; do
  IFS=: read -r name major minor volume <<EOF
$disk
EOF
  mknod -m 660 "$dev/$name" b "$major" "$minor"
  ln -s "../../$name" "$dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$volume"
  ln -s "$(readlink -f "/sys/dev/block/$major:$minor")" "$root/sys/block/$name"
  ln -s "../../block/$name" "$root/sys/dev/block/$major:$minor"
done

mkdir -p "$root/.old"
cd "$root"
pivot_root . .old
cd /
mount --make-rprivate /
umount -l /.old
rmdir /.old 2>/dev/null || true
exec env -i container=pretend TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init
