#!/bin/sh
# Debian packages that wheels cannot carry: what Qt's plugins link to, a font, and peers for the tests.
# Installs them when run as root on a machine with apt; otherwise names those that are missing.
set -eu

window="libegl1 libgl1 libdbus-1-3 libfontconfig1 libglib2.0-0 libxkbcommon0 libxkbcommon-x11-0
 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0
 libxcb-shape0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core"
peers="dcmtk dicom3tools xvfb postgresql"

command -v apt-get >/dev/null 2>&1 || exit 0
command -v dpkg-query >/dev/null 2>&1 || exit 0

case "${1:-}" in
    test) wanted="$window $peers" ;;
    venv)
        # Debian's own Python comes without what `python3 -m venv` needs.
        "${PYTHON:-python3}" -c 'import ensurepip' >/dev/null 2>&1 && exit 0
        wanted="python3-venv" ;;
    *) wanted="$window" ;;
esac

missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "Some system packages are missing. If something fails, run:  sudo apt-get install$missing" >&2
    exit 0
fi
echo "Installing system packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
