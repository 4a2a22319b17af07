# examples/plant.bash -- a small plant on one machine: a server, an operator, an agent beside each router; to be sourced after routers.bash.
#
#   plant_begin DIR          folders; nothing runs yet
#   plant_server             makes the server on a free port of this machine and starts it
#   plant_operator           makes the operator's keys and claims the server
#   plant_agent r1 [MODE]    invites router r1, answers, starts its agent (mode commit when not said)
#   PLANT_DEVICE[sw1]='...'   the driver and its settings of what is no router, as lines of agent.yaml, before plant_agent
#   plant_admit              admits whoever answered
#   plant_stop               ends agents and server; DIR stays
#
# With PLANT_LAN set (and routers_lan called) server and operator are in the management network, and each agent is in its router's own
# network, so that it reaches the server only through what the router's configuration says.
#
# DIR/server, DIR/operator, DIR/agents/<name> (its state, agent.yaml beside it), DIR/logs. PROGRAMS names the folder of the build.

PLANT_DIR=
PLANT_QUIET=${PLANT_QUIET:-5}
PLANT_LAN=${PLANT_LAN:-}
declare -A PLANT_PIDS=() PLANT_DEVICE=()

plant_say() { echo "plant: $*" >&2; }
plant_build() { # FOLDER [TARGET...]: the programs, as users get them, and what else is named
	[ -f "$1/build.ninja" ] || meson setup -Dtests=true "$1" >"$1.log" 2>&1 || { tail -n 20 "$1.log" >&2; return 1; }
	ninja -C "$1" server/holdfastd agent/holdfast-agent cli/holdfast "${@:2}" >"$1.log" 2>&1 || { grep -v '^\[' "$1.log" | tail -n 40 >&2; return 1; }
	rm -f "$1.log"
}
plant_here() { if [ -n "$PLANT_LAN" ]; then lan_run "$@"; else "$@"; fi; }
plant_host() { if [ -n "$PLANT_LAN" ]; then echo 172.31.0.1; else echo 127.0.0.1; fi; }
holdfastd() { plant_here "$PROGRAMS/server/holdfastd" "$@"; }
holdfast() { holdfast_as operator "$@"; }
holdfast_as() { plant_here "$PROGRAMS/cli/holdfast" --home "$PLANT_DIR/$1" "${@:2}"; } # another person's folder
plant_at() { if [ -n "$PLANT_LAN" ]; then router_run "$@"; else "${@:2}"; fi; } # NAME COMMAND...: where the agent of a router is
plant_agent_command() { plant_at "$1" "$PROGRAMS/agent/holdfast-agent" -c "$PLANT_DIR/agents/$1.yaml" "${@:2}"; }

# plant_until SECONDS COMMAND...: true as soon as the command is
plant_until() {
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

plant_begin() {
	PLANT_DIR=$1
	(umask 077; mkdir -p "$PLANT_DIR/agents" "$PLANT_DIR/logs")
	chmod 755 "$PLANT_DIR"
}

plant_free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}

# plant_spawn NAME COMMAND...: in the background, its words in DIR/logs/NAME
plant_spawn() {
	"${@:2}" >>"$PLANT_DIR/logs/$1" 2>&1 </dev/null &
	PLANT_PIDS[$1]=$!
}
# In place of the shell that spawned it, so that a signal reaches the program itself.
plant_exec_here() {
	if [ -n "$PLANT_LAN" ]; then exec nsenter --target "$ROUTERS_LAN" --net -- "$@"; else exec "$@"; fi
}
plant_exec_at() { # NAME COMMAND...
	if [ -n "$PLANT_LAN" ]; then exec nsenter --target "$(cat "$ROUTERS_DIR/$1/keeper")" --net --uts -- "${@:2}"; else exec "${@:2}"; fi
}
# plant_end NAME [SIGNAL]
plant_end() {
	local pid=${PLANT_PIDS[$1]:-}
	[ -n "$pid" ] || return 0
	kill -"${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	unset "PLANT_PIDS[$1]"
}
plant_stop() {
	local name
	for name in "${!PLANT_PIDS[@]}"; do [ "$name" = server ] || plant_end "$name"; done
	plant_end server
}

plant_server_is_ready() { plant_here curl -s -k -o /dev/null -f "https://$(plant_host):$PLANT_PORT/readyz"; }
plant_server_start() {
	PLANT_PORT=${PLANT_PORT:-$(sed -n 's/^listen: "[0-9.]*:\([0-9]*\)"/\1/p' "$PLANT_DIR/server/holdfastd.yaml")}
	plant_spawn server plant_exec_here "$PROGRAMS/server/holdfastd" serve "$PLANT_DIR/server"
	plant_until 20 plant_server_is_ready || { plant_say "the server does not start: $(tail -n 3 "$PLANT_DIR/logs/server")"; return 1; }
}
plant_server() {
	local name=localhost
	PLANT_PORT=$(plant_free_port)
	[ -z "$PLANT_LAN" ] || name=$(plant_host)
	(umask 077; holdfastd init "$PLANT_DIR/server" --address "$name:$PLANT_PORT" --listen "$(plant_host):$PLANT_PORT" \
		--setup "$PLANT_DIR/setup") && plant_server_start
}

plant_operator() {
	holdfast init --setup "$PLANT_DIR/setup" --name plant-a --person "${1:-alice}" --no-passphrase && rm -f "$PLANT_DIR/setup"
}

plant_router_yaml() { # NAME
	cat <<-END
		    driver: frr
		    frr:
		      pathspace: $(router_pathspace "$1")
		      config: $(realpath "$(router_file "$1")")
		      daemons: [$(echo $ROUTER_DAEMONS | sed 's/ /, /g')]
	END
}
plant_agent_yaml() { # NAME MODE
	cat <<-END
		state: $PLANT_DIR/agents
		wait: 60
		devices:
		  - name: $1
		${PLANT_DEVICE[$1]:-$(plant_router_yaml "$1")}
		    commit: {mode: $2, quiet: $PLANT_QUIET, remind: 60, watch: 1}
	END
}
plant_agent_start() { plant_spawn "agent-$1" plant_exec_at "$1" "$PROGRAMS/agent/holdfast-agent" -c "$PLANT_DIR/agents/$1.yaml" run; }
plant_join() { # NAME MODE [LABEL...]
	local labels=()
	for label in "${@:3}"; do labels+=(--label "$label"); done
	plant_agent_yaml "$1" "$2" >"$PLANT_DIR/agents/$1.yaml"
	holdfast invite --name "$1" "${labels[@]}" -o "$PLANT_DIR/agents/$1.invite" &&
		plant_agent_command "$1" join "$PLANT_DIR/agents/$1.invite" && rm -f "$PLANT_DIR/agents/$1.invite"
}
plant_agent() { plant_join "$1" "${2:-commit}" "${@:3}" && plant_agent_start "$1"; }
plant_admit() { holdfast device admit --all; }

# plant_field NAME FIELD: of one device, as the server knows it
plant_field() { holdfast device show "$1" --json | jq -r ".$2 // \"\""; }
plant_is() { [ "$(plant_field "$1" "$2")" = "$3" ]; } # NAME FIELD VALUE
# plant_settled NAME [SECONDS]: all that its agent recorded is in the archive, and saved
plant_has_snapshot() { [ "$(plant_field "$1" snapshot)" -gt "${2:-0}" ] 2>/dev/null; }

# plant_export: what recovery needs, beside the rest
plant_export() {
	rm -rf "$PLANT_DIR/archive.git"
	git clone -q --mirror "$PLANT_DIR/server/archive.git" "$PLANT_DIR/archive.git" &&
		holdfast root export --devices -o "$PLANT_DIR/allowed_signers" && holdfast keyring export "$PLANT_DIR/keyring"
}
