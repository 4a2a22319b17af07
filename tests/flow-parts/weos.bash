# tests/flow-parts/weos.bash -- what tests of the simulated WeOS device share; to be sourced. Skips (77) where no SSH server can run.
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP" || exit 1
. tests/weos.bash
for tool in stdbuf picocom ssh; do command -v $tool >/dev/null || { echo "no $tool on this machine"; exit 77; }; done
lack=$(weos_ssh_lacks)
[ -z "$lack" ] || { echo "$lack"; exit 77; }
DIR=$(mktemp -d /var/tmp/holdfast-weos.XXXXXX)
trap 'status=$?; weos_stop; rm -rf "$DIR"; exit $status' EXIT
trap 'exit 1' INT TERM
weos_begin "$DIR"

fail() { echo "FAILED at line ${BASH_LINENO[*]}: $*" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"; }
has() { case $2 in *"$3"*) ;; *) fail "$1: no '$3' in '$2'" ;; esac; }
lacks() { case $2 in *"$3"*) fail "$1: '$3' in '$2'" ;; esac; }
send() { weos_send "$1" || fail "the console takes nothing"; }
expect() { weos_expect "$@" || fail "on the console"; }
run() { weos_do "$1" || fail "'$1'"; SAID=${WEOS_SAID%$'\n'}; }
login() { weos_login "$@" || fail "no login"; run batch; }
