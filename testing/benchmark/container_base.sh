#!/usr/bin/env bash
# Make the image that containers/Dockerfile starts from, python:3.X-slim, where no registry of images
# can be reached: Debian's minimal system, with an interpreter in /usr/local. For container.py.
#
#   bash testing/benchmark/container_base.sh PREFIX [TOOL]
#
# PREFIX  folder of an interpreter that was built on Debian (bin, lib), as pyenv makes them
# TOOL    podman (the default) or docker
#
# Needs root and mmdebstrap. SUITE names another release of Debian than bookworm.
set -euo pipefail
if [ $# -lt 1 ] || [ ! -x "$1/bin/python3" ]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
prefix=$1
tool=${2:-podman}
version=$("$prefix/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# the libraries that the interpreter's own modules are linked with
mmdebstrap --quiet --variant=minbase \
    --include=ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0 \
    --include=liblzma5,libreadline8,libuuid1,libncursesw6,libexpat1 \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "${SUITE:-bookworm}" "$folder/base.tar"
mkdir "$folder/root"
tar -C "$folder/root" -xf "$folder/base.tar"
rm "$folder/base.tar"

# of the packages beside it only pip, as in a new installation
tar -C "$prefix" --exclude=__pycache__ --exclude='*/test' --exclude='*/tests' --exclude='*.a' \
    --exclude='*/site-packages' -cf - bin include lib | tar -C "$folder/root/usr/local" -xf -
site=lib/python$version/site-packages
mkdir -p "$folder/root/usr/local/$site"
cp -r "$prefix/$site/"pip* "$folder/root/usr/local/$site/"
grep -lZI "^#!$prefix/" "$folder/root/usr/local/bin/"* |
    xargs -0 sed -i "1s|^#!$prefix/|#!/usr/local/|"
chroot "$folder/root" ldconfig
chroot "$folder/root" python3 -c 'import bz2, ctypes, lzma, sqlite3, ssl, zlib'

tar -C "$folder/root" -cf - . | "$tool" import --change 'CMD ["python3"]' \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    - "docker.io/library/python:$version-slim"
