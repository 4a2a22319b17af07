#!/bin/sh
# examples/packages.sh [FILE...]: installs what examples/packages, and these files, list and this machine lacks. Debian 12, as root or with
# sudo.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
missing=
for p in $(sed 's/#.*//' "$here/packages" "$@"); do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null || { echo "this needs Debian 12 (apt-get) to install:$missing" >&2; exit 1; }
if [ "$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; else
	echo "run this as root, or install first:$missing" >&2; exit 1
fi
echo "installing:$missing" >&2
# Only the program of the SSH server is wanted: the tests start it themselves. Its service stays off until somebody unmasks it.
case "$missing " in *" openssh-server "*)
	if [ -d /etc/systemd/system ] && [ ! -e /etc/systemd/system/ssh.service ]; then
		$sudo ln -s /dev/null /etc/systemd/system/ssh.service
		echo "the service of openssh-server stays off ('systemctl unmask ssh' allows it)" >&2
	fi ;;
esac
log=$(mktemp)
if ! { $sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2; echo "could not install the packages; what apt-get said stands above and in $log" >&2; exit 1
fi
rm -f "$log"
