# tests/flow-parts/router.bash -- what tests of the agent's parts on real routers share; to be sourced.
#
# After it: DIR (removed at the end; $HOLDFAST_KEEP_FAILED keeps it when the test fails), PARTS (the program that drives the parts), routers of examples/routers.bash, and nothing left behind.
# Skips (77) where no router can run.
set -eu
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${HOLDFAST_BUILD:-$TOP/build}
PARTS=$BUILD/tests/flow-parts/parts
. "$TOP/examples/routers.bash"
if [ -n "$(routers_lack)" ]; then routers_lack; exit 77; fi
DIR=$(mktemp -d)
chmod 755 "$DIR"

finish() {
	local status=$?
	set +e # what cannot be ended keeps nothing else from being ended
	! type cleanup_more >/dev/null 2>&1 || cleanup_more
	routers_stop
	[ $status = 0 ] || [ -z "${HOLDFAST_KEEP_FAILED:-}" ] || { echo "kept: $DIR" >&2; exit $status; }
	rm -rf "$DIR"
	exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() { echo "FAILED at line ${BASH_LINENO[*]}: $*" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"; }
has() { case $2 in *"$3"*) ;; *) fail "$1: no '$3' in '$2'" ;; esac; }

# settings NAME [file of startup]: writes $DIR/NAME.yaml
settings() {
	cat >"$DIR/$1.yaml" <<-END
		state: $DIR/state
		devices:
		  - name: $1
		    driver: frr
		    frr:
		      pathspace: $(router_pathspace "$1")
		      config: ${2:-$(router_file "$1")}
		      daemons: [$(tr ' ' ',' <<<"$ROUTER_DAEMONS")]
		    commit: {mode: commit}
	END
}
# parts NAME COMMAND...: status and output of the part
parts() { "$PARTS" "$DIR/$1.yaml" "$1" "${@:2}" 2>&1 || true; }
# look NAME: prints what is said of the look; texts are in $DIR/look afterwards
look() { mkdir -p "$DIR/look"; rm -f "$DIR/look"/*; parts "$1" look "$DIR/look"; }
is_saved() { cmp -s "$DIR/look/running.canonical" "$DIR/look/startup.canonical"; }
# configure NAME: the lines on standard input, as an engineer would type them
configure() { router_vtysh "$1" -f /dev/stdin >/dev/null 2>&1 || true; }
