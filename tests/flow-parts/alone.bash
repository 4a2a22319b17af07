# tests/flow-parts/alone.bash -- a server and one agent with one device, and a wire between them whose bytes are counted; to be sourced, with
# PROGRAMS, DIR (plant_begin was called) and fail(). The device is a gateway whose only file nobody changes.
#
#   alone_begin              the wire; run in a network namespace of its own (alone_here)
#   alone_agent [LINE...]    it joins, is admitted and sent its first snapshot; lines for agent.yaml in place of `wait: 60`
#   alone_pids               core, net, apply
#   alone_bytes              IP bytes on the wire until now, both ways
#   alone_renewal            IP bytes of a wait that ends and is begun anew, the mean of three; with `wait: 2`
#   alone_cut, alone_mend    whatever belongs to a connection that is open now is lost from here on, without a word; others work
#
# ALONE_LIBS: a folder with the libraries that the agent alone is to use.

ALONE_KEEPER=
alone_here() { # "$0" "$@": starts the script again in a network namespace
	[ "$(id -u)" = 0 ] || { echo "namespaces need root"; exit 77; }
	unshare --net true 2>/dev/null || { echo "no network namespace can be made here"; exit 77; }
	[ -n "${ALONE_INSIDE:-}" ] || ALONE_INSIDE=1 exec unshare --net "$@"
}
lan_run() { "$@"; }
router_run() { nsenter --target "$ALONE_KEEPER" --net -- "${@:2}"; }
alone_begin() {
	PLANT_LAN=1 ROUTERS_LAN=$$ ROUTERS_DIR=$DIR/alone
	mkdir -p "$ROUTERS_DIR/gw" "$DIR/root/etc"
	echo 'a=1' >"$DIR/root/etc/app.conf"
	unshare --net sleep infinity &
	ALONE_KEEPER=$!
	echo "$ALONE_KEEPER" >"$ROUTERS_DIR/gw/keeper"
	ip link set lo up
	until ip link add wire type veth peer name wire netns "$ALONE_KEEPER" 2>/dev/null; do sleep 0.1; done
	ip link set wire addrgenmode none && ip addr add 172.31.0.1/24 dev wire && ip link set wire up
	router_run gw ip link set wire addrgenmode none && router_run gw ip addr add 172.31.0.2/24 dev wire && router_run gw ip link set wire up && router_run gw ip link set lo up
	# who is where is known, or asking for it now and then would be counted
	ip neigh replace 172.31.0.2 dev wire lladdr "$(alone_wire gw | jq -r .address)"
	router_run gw ip neigh replace 172.31.0.1 dev wire lladdr "$(alone_wire | jq -r .address)"
	PLANT_DEVICE[gw]="    driver: files
    files:
      root: $DIR/root
      parts: [{path: /etc/app.conf, format: secret}]"
}
alone_end() { [ -z "$ALONE_KEEPER" ] || kill "$ALONE_KEEPER" 2>/dev/null; }
alone_wire() { if [ $# = 0 ]; then ip -s -j link show wire; else router_run gw ip -s -j link show wire; fi | jq '.[0]'; }
alone_agent() {
	plant_server 2>>"$DIR/logs/plant" && plant_operator >>"$DIR/logs/plant" 2>&1 || fail "no server or no operator"
	plant_join gw observe >>"$DIR/logs/plant" 2>&1 || fail "the agent does not join: $(tail -n 1 "$DIR/logs/plant")"
	{ printf '%s\n' "$@"; grep -v '^wait:' "$DIR/agents/gw.yaml" | sed 's/, watch: 1}/}/'; } >"$DIR/agents/gw.new"
	mv "$DIR/agents/gw.new" "$DIR/agents/gw.yaml"
	LD_LIBRARY_PATH=${ALONE_LIBS:-} plant_agent_start gw
	plant_admit >>"$DIR/logs/plant" 2>&1 || fail "not admitted"
	plant_until 30 plant_has_snapshot gw 2 || fail "no snapshot"
	plant_until 30 alone_is_there || fail "the agent does not wait at the server"
}
alone_pids() { echo "${PLANT_PIDS[agent-gw]}" "$(pgrep -P "${PLANT_PIDS[agent-gw]}" -f 'agent net ')" "$(pgrep -P "${PLANT_PIDS[agent-gw]}" -f 'agent apply ')"; }
# an Ethernet head is 14 bytes
alone_bytes() { alone_wire gw | jq '.stats64 | .rx.bytes + .tx.bytes - 14 * (.rx.packets + .tx.packets)'; }
alone_asked() { router_run gw ss -tniH state established dst 172.31.0.1 | sed -n 's/.*data_segs_out:\([0-9]*\).*/\1/p' | head -n 1; }
alone_has_asked() { local now; now=$(alone_asked); [ -n "$now" ] && [ "$now" -ge "$1" ]; }
alone_is_single() { [ "$(router_run gw ss -tnH state established dst 172.31.0.1 | wc -l)" = 1 ]; }
# From one request, confirmed, to the third after it.
alone_renewal() {
	local from before
	plant_until 40 alone_is_single || return 1 # one that posted something is kept for a while
	from=$(alone_asked)
	[ -n "$from" ] || return 1
	from=$((from + 1))
	plant_until 20 alone_has_asked $from || return 1
	sleep 0.5
	before=$(alone_bytes)
	plant_until 20 alone_has_asked $((from + 3)) || return 1
	sleep 0.5
	echo $((($(alone_bytes) - before) / 3))
}
alone_socket() { router_run gw ss -tnoH state established dst 172.31.0.1 | head -n 1; }
alone_port() { alone_socket | awk '{ sub(/.*:/, "", $3); print $3 }'; }
alone_is_there() { [ -n "$(alone_port)" ]; }
# Open, and nothing on the way for a second.
alone_is_waiting() {
	local before
	[ "$(router_run gw ss -tnH state established dst 172.31.0.1 | wc -l)" = 1 ] || return 1
	before=$(alone_bytes)
	sleep 1
	[ "$(alone_bytes)" = "$before" ]
}
alone_cut() {
	router_run gw nft "add table ip cut; add chain ip cut out { type filter hook output priority 0; }; add chain ip cut in { type filter hook input priority 0; };
		add rule ip cut out tcp sport $1 drop; add rule ip cut in tcp dport $1 drop"
}
