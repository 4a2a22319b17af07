# tests/flow-parts/orders.bash -- real routers and agents, and a server that delivers what a test makes up; to be sourced.
#
# The server (order-server) verifies nothing and lies when told to; orders are made by hand (handmade.bash).
#
#   orders_begin NAME...      routers, a server, a root (alice and bob deploy), agents that joined and are admitted
#   deliver DEVICE NAME...    the next poll of the device brings these plans
#   outcome DEVICE NAME [SECONDS]   waits for its last receipt and prints "<outcome> <check>"

. "$(dirname "${BASH_SOURCE[0]}")/router.bash"
. "$TOP/tests/flow-parts/handmade.bash"
AGENT=$BUILD/agent/holdfast-agent
S=$DIR/server
declare -A AGENT_PID=()
cleanup_more() {
	local name
	for name in "${!AGENT_PID[@]}"; do agent_kill "$name" KILL; done
	[ -z "${SERVER_PID:-}" ] || { kill "$SERVER_PID"; wait "$SERVER_PID"; } 2>/dev/null || true
	[ "${status:-0}" = 0 ] || for log in "$DIR"/*.log; do [ ! -s "$log" ] || { echo "--- $log"; tail -n 25 "$log"; } >&2; done
}

until_true() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	until "${@:2}"; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}

# ---- the fleet ----

root_text() { # VERSION [more lines behind the roles]
	echo "holdfast-statement/1 root"
	[ "$1" = 1 ] || echo "fleet: $FLEET"
	echo "version: $1"
	[ "$1" = 1 ] || echo "prev: $(text_of "$DIR/root.$(($1 - 1))" | sha)"
	printf '%s\n' "time: $(now)" "expires: $(later '+1 year')" "name: plant-a" "person: alice" "person: bob" \
		"key: alice $(pub alice)" "key: bob $(pub bob)" "reading-key: alice $(recipient alice)" \
		"role: root alice" "role: admin alice" "role: reader alice" "${ROLE_DEPLOYER:-role: deployer alice bob}"
	[ $# = 1 ] || printf '%s\n' "${@:2}"
	printf '%s\n' "archive: $(pub archive)" "tls-pin: $PIN64" "server: $ADDRESS:$PORT"
}
root_make() { root_text "$@" | sign root alice >"$DIR/root.$1"; ROOT=$1; cat "$DIR/root.$1" >>"$S/roots"; }

server_begin() {
	ADDRESS=${ADDRESS:-127.0.0.1}
	PORT=$((20000 + RANDOM % 12000))
	mkdir -p "$S"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$DIR/tls.key" -out "$DIR/tls.crt" -days 30 -subj /CN=x 2>/dev/null
	cat "$DIR/tls.key" "$DIR/tls.crt" >"$DIR/tls.pem"
	PIN64=$(openssl x509 -in "$DIR/tls.crt" -pubkey -noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)
	server_start
	local key
	for key in alice bob carol archive; do new_key $key; done
	root_make 1 ${ROOT_MORE:+"$ROOT_MORE"}
	FLEET=$(text_of "$DIR/root.1" | sha | id_of)
}
server_at() { [ -z "$ROUTERS_LAN" ] || echo "nsenter --target $ROUTERS_LAN --net --"; }
server_start() {
	$(server_at) "$TOP/tests/flow-parts/order-server" "$DIR/tls.pem" "$S" "$PORT" >"$DIR/server.log" 2>&1 &
	SERVER_PID=$!
	until_true 10 $(server_at) curl -s -k -o /dev/null "https://$ADDRESS:$PORT/livez" || fail "the server does not start"
}
server_end() { kill "$SERVER_PID"; wait "$SERVER_PID" 2>/dev/null || true; SERVER_PID=; }

agent_yaml() { # NAME MODE
	cat <<-END
		state: $DIR/agents
		wait: 60
		devices:
		  - name: $1
		    driver: frr
		    frr:
		      pathspace: $(router_pathspace "$1")
		      config: $(realpath "$(router_file "$1")")
		      daemons: [$(tr ' ' ',' <<<"$ROUTER_DAEMONS")]
		    commit: {mode: $2, quiet: 1, watch: 1}
	END
}
# With AGENT_INSIDE set, each agent is in its router's own network.
agent_at() { [ -z "${AGENT_INSIDE:-}" ] || echo "nsenter --target $(cat "$ROUTERS_DIR/$1/keeper") --net --uts --"; }
agent() { $(agent_at "$1") "$AGENT" -c "$DIR/$1.yaml" "${@:2}"; }
agent_start() { # NAME [PREFIX...]
	$(agent_at "$1") "${@:2}" "$AGENT" -c "$DIR/$1.yaml" run >>"$DIR/$1.log" 2>&1 &
	AGENT_PID[$1]=$!
}
agent_kill() { # NAME SIGNAL
	[ -n "${AGENT_PID[$1]:-}" ] || return 0
	{ kill -"$2" "${AGENT_PID[$1]}"; wait "${AGENT_PID[$1]}"; } 2>/dev/null || true
	unset "AGENT_PID[$1]"
}
says() { grep -q -- "$2" "$DIR/$1.log"; }
objects() { ls "$S/objects"/*[0-9] 2>/dev/null; }
# The containers of this type of a device that have all these lines, oldest first; by a few programs in all, since much waits for them.
containers() { # TYPE NAME [LINE...]
	local line found
	found=$(objects)
	for line in "holdfast-statement/1 $1" "device: ${DEVICE_ID[$2]}" "${@:3}"; do
		[ -n "$found" ] || return 0
		found=$(grep -alxF -- "$line" $found) || return 0
	done
	echo "$found"
}
newest() { containers "$@" | tail -n 1; } # TYPE NAME: nothing when there is none
has_snapshot() { [ -n "$(newest snapshot "$1")" ]; }

device_begin() { # NAME
	local name=$1
	head -c 32 /dev/urandom >"$DIR/$name.secret"
	agent_yaml "$name" "${MODE:-observe}" >"$DIR/$name.yaml"
	printf 'holdfast-invite:1:%s:%s:%s:%s\n' "$FLEET" "$(base64 -d <<<"$PIN64" | b64url)" "$(b64url <"$DIR/$name.secret")" "$ADDRESS:$PORT" \
		>"$DIR/$name.invite"
	agent "$name" join "$DIR/$name.invite" >>"$DIR/$name.log" 2>&1 || fail "$name does not join: $(tail -n 1 "$DIR/$name.log")"
	local enrol
	enrol=$(objects | tail -n 1)
	DEVICE_ID[$name]=$(sed -n 's/^device: //p' "$enrol")
	sed -n 's/^box: //p' "$enrol" >"$DIR/$name.box"
	sed -n 's/^key: //p' "$enrol" >"$DIR/$name.key"
	printf '%s\n' "holdfast-statement/1 admit" "fleet: $FLEET" "device: ${DEVICE_ID[$name]}" "enrol: $(text_of "$enrol" | sha)" "device-name: $name" \
		"time: $(now)" "root: 1" | sign admit alice >"$DIR/$name.admit"
	agent_start "$name"
	put_poll "$name" "$DIR/$name.admit"
	until_true 30 has_snapshot "$name" || fail "$name is not admitted: $(tail -n 3 "$DIR/$name.log")"
}

orders_begin() {
	local name
	routers_begin "$DIR/routers" "$@"
	for name in "$@"; do router_config "$name"; router_start "$name"; done
	server_begin
	for name in "$@"; do device_begin "$name"; done
}

put_poll() { # NAME FILE
	cp "$2" "$S/poll.new"
	mv "$S/poll.new" "$S/poll.${DEVICE_ID[$1]}"
}
deliver() { # DEVICE NAME...
	local name
	for name in "${@:2}"; do list_of "$1" "$name"; done >"$DIR/list"
	put_poll "$1" "$DIR/list"
}

# ---- receipts ----

leaf_of() { text_of "$DIR/$2.$1.order" | sha; } # DEVICE NAME
receipts() { containers receipt "$1" "leaf: $(leaf_of "$1" "$2")"; } # DEVICE NAME: the files
field() { sed -n "s/^$1: //p" "$2"; }
last_receipt() { # DEVICE NAME
	local found
	found=$(receipts "$1" "$2")
	[ -n "$found" ] && grep -aLx 'outcome: healthy' $found | tail -n 1 | grep .
}
outcome() { # DEVICE NAME [SECONDS]
	local file
	until_true "${3:-30}" last_receipt "$1" "$2" >/dev/null || fail "no receipt for '$2' of $1: $(tail -n 5 "$DIR/$1.log")"
	file=$(last_receipt "$1" "$2")
	echo "$(field outcome "$file") $(field check "$file")" | sed 's/ $//'
}
note() { field note "$(last_receipt "$1" "$2")"; } # DEVICE NAME
one_receipt() { is "last receipts of '$2'" "$(for f in $(receipts "$1" "$2"); do field outcome "$f"; done | grep -vc healthy)" 1; } # DEVICE NAME
# Every receipt of a device is signed by it, as ssh-keygen sees it, and the chain has no gap.
check_chain() { # DEVICE
	local file numbers=()
	echo "${DEVICE_ID[$1]} namespaces=\"receipt@holdfast\" $(cat "$DIR/$1.key")" >"$DIR/allowed"
	for file in $(objects); do
		grep -aqx "device: ${DEVICE_ID[$1]}" "$file" || continue
		numbers+=("$(grep -am 1 '^number: ' "$file" | cut -c9-)")
		head -n 1 "$file" | grep -aqx "holdfast-statement/1 receipt" || continue
		text_of "$file" >"$DIR/receipt"
		sed -n '/^-----BEGIN/,$p' "$file" >"$DIR/receipt.sig"
		ssh-keygen -q -Y verify -f "$DIR/allowed" -I "${DEVICE_ID[$1]}" -n receipt@holdfast -s "$DIR/receipt.sig" <"$DIR/receipt" >/dev/null || fail "$file is not signed by $1"
	done
	is "numbers of $1" "$(printf '%s\n' "${numbers[@]}")" "$(seq "${#numbers[@]}")"
}

# ---- the router ----

route() { echo "ip route 203.0.113.$1/32 Null0"; }
runs() { router_vtysh "$1" -c 'show running-config' | grep -q -- "$2"; }
boots() { grep -q -- "$2" "$(router_file "$1")"; }
state_of() { "$PARTS" "$DIR/$1.yaml" "$1" look "$DIR/look" >"$DIR/looked"; cat "$DIR/looked"; }
saved_md5() { mkdir -p "$DIR/look"; state_of "$1" >/dev/null; cmp -s "$DIR/look/running.canonical" "$DIR/look/startup.canonical" && md5sum <"$DIR/look/running.canonical" | cut -c1-32; }
