# tests/plant.bash -- what tests with real routers, agents and a server share; to be sourced. The folder is $DIR, gone at the end
# ($HOLDFAST_KEEP_FAILED keeps it when the test fails).
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$TOP" || exit 1
. examples/routers.bash
. examples/plant.bash
PROGRAMS=${HOLDFAST_BUILD:-$TOP/build-release}
DIR=

fail() { echo "FAILED at line ${BASH_LINENO[*]}: $*" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"; }
finish() {
	local status=$?
	trap - EXIT
	plant_stop
	routers_stop
	if [ $status != 0 ] && [ $status != 77 ]; then
		for log in "$DIR"/logs/*; do [ ! -s "$log" ] || { echo "--- $log"; tail -n 12 "$log"; } >&2; done
		[ -z "${HOLDFAST_KEEP_FAILED:-}" ] || { echo "kept: $DIR" >&2; exit $status; }
	fi
	rm -rf "$DIR"
	exit $status
}

# test_plant NAME...: routers of these names run, a server and an operator are there, nobody has joined
test_plant() {
	local lack name
	lack=$(routers_lack)
	[ -z "$lack" ] || { echo "$lack"; exit 77; }
	DIR=$(mktemp -d /var/tmp/holdfast-test.XXXXXX)
	trap finish EXIT
	trap 'exit 1' INT TERM
	plant_begin "$DIR"
	[ -z "$PLANT_LAN" ] || routers_lan "$DIR/routers" || fail "no management network"
	routers_begin "$DIR/routers" "$@" || fail "the routers do not start"
	for name in "$@"; do router_config "$name" && router_start "$name" || fail "router $name does not start"; done
	plant_server 2>>"$DIR/logs/plant" && plant_operator >>"$DIR/logs/plant" 2>&1 || fail "no server or no operator"
}

# test_agents MODE NAME...: their agents run, are admitted, and their first snapshot is archived
test_agents() {
	local name
	for name in "${@:2}"; do plant_agent "$name" "$1" >>"$DIR/logs/plant" 2>&1 || fail "the agent of $name did not join"; done
	plant_admit >>"$DIR/logs/plant" 2>&1 || fail "not admitted"
	for name in "${@:2}"; do plant_until 30 plant_has_snapshot "$name" || fail "no snapshot of $name"; done
}

# change NAME NUMBER: a route by hand, not saved
change() { router_vtysh "$1" -c 'configure terminal' -c "ip route 203.0.113.$2/32 Null0" >/dev/null || fail "vtysh refused a change"; }
# A change is undone the same way.
change_back() { router_vtysh "$1" -c 'configure terminal' -c "no ip route 203.0.113.$2/32 Null0" >/dev/null || fail "vtysh refused a change"; }
has_route() { router_vtysh "$1" -c 'show running-config' | grep -q "^ip route 203.0.113.$2/32 Null0"; }
file_has_route() { grep -q "^ip route 203.0.113.$2/32 Null0" "$(router_file "$1")"; }

# ---- orders ----

twelve() { seq -f 'r%g' 12; }
# canonical NAME FILE: running as the archive has it, secrets put back
archived() { holdfast cat "$1" --reveal; }
# rollout FILE: plans, signs once, follows; its words are in $DIR/rollout. Returns how the watching ended.
rollout() {
	rm -f "$DIR/plan"
	holdfast rollout plan "$1" -o "$DIR/plan" >"$DIR/rollout" 2>&1
	[ -s "$DIR/plan" ] || fail "no plan: $(tail -n 3 "$DIR/rollout")"
	holdfast rollout apply "$DIR/plan" --watch --timeout "${2:-4m}" >>"$DIR/rollout" 2>&1
}
batch_newest() { holdfast rollout list --limit 1 --json | jq -r '.batches[0].id'; }
# outcomes BATCH: "r1 done" lines
outcomes() { holdfast rollout show "$1" --json | jq -r '.devices[] | .name + " " + (.outcome // "-")'; }
settled() { [ "$(plant_agent_command "$1" status "$1" | sed -n 's/^unsent: //p')" = 0 ] && plant_is "$1" saved yes; }
