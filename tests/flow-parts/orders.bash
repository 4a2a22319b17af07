# tests/flow-parts/orders.bash -- real routers and agents, and a server that delivers what a test makes up; to be sourced.
#
# Orders are written by printf, signed by ssh-keygen and sealed by age: nothing here is our own code but the agent, so what it obeys and
# refuses is what the documents say. The server (order-server) verifies nothing and lies when told to.
#
#   orders_begin NAME...      routers, a server, a root (alice and bob deploy), agents that joined and are admitted
#   payload NAME              the payload of the plan of that name, from standard input
#   plan NAME KIND DEVICE NUMBER [ORDER LINE...]   makes DIR/NAME.*: text, payload, batch, order
#   deliver DEVICE NAME...    the next poll of the device brings these plans
#   outcome DEVICE NAME [SECONDS]   waits for its last receipt and prints "<outcome> <check>"
# More of a batch than one line is in BATCH_MORE, another author in AUTHOR, times in BEGINS and EXPIRES, more approvals in APPROVALS. A batch
# begins a minute ago: the time that an agent believes lags behind the clock, and of two orders only the first might have begun for it.

. "$(dirname "${BASH_SOURCE[0]}")/router.bash"
AGENT=$BUILD/agent/holdfast-agent
S=$DIR/server
declare -A DEVICE_ID=() AGENT_PID=()
cleanup_more() {
	local name
	for name in "${!AGENT_PID[@]}"; do agent_kill "$name" KILL; done
	[ -z "${SERVER_PID:-}" ] || { kill "$SERVER_PID"; wait "$SERVER_PID"; } 2>/dev/null || true
	[ "${status:-0}" = 0 ] || for log in "$DIR"/*.log; do [ ! -s "$log" ] || { echo "--- $log"; tail -n 25 "$log"; } >&2; done
}

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
later() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }
sha() { sha256sum | cut -c1-64; }
b64url() { basenc --base64url | tr -d '=\n'; }
id_of() { xxd -r -p | base32 | tr 'A-Z' 'a-z' | cut -c1-26; }
until_true() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	until "${@:2}"; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}
new_key() { ssh-keygen -q -t ed25519 -N '' -C '' -f "$DIR/$1"; age-keygen -o "$DIR/$1.age" 2>/dev/null; }
pub() { cut -d' ' -f1,2 "$DIR/$1.pub"; }
recipient() { age-keygen -y "$DIR/$1.age"; }
sign() { # TYPE KEY: the text on standard input with its signature behind it
	cat >"$DIR/to-sign"
	rm -f "$DIR/to-sign.sig"
	ssh-keygen -q -Y sign -n "$1@holdfast" -f "$DIR/$2" "$DIR/to-sign" 2>/dev/null
	cat "$DIR/to-sign" "$DIR/to-sign.sig"
}
text_of() { sed '/^-----BEGIN /,$d' "$1"; }
seal_line() { echo "$1: $2 $(stat -c %s "$3") $(sha <"$3")"; }

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
# The newest container of this type of a device; nothing when there is none.
newest() { # TYPE NAME
	local file found=
	for file in $(objects); do
		head -n 1 "$file" | grep -aqx "holdfast-statement/1 $1" && grep -aqx "device: ${DEVICE_ID[$2]}" "$file" && found=$file
	done
	echo "$found"
}
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

# ---- orders ----

payload() { cat >"$DIR/$1.payload"; }
seal_payload() { age -r "$(cat "$DIR/$2.box")" -r "$(recipient alice)" <"$DIR/$1.payload" >"$DIR/$1.$2.age"; }

order_text() { # NAME KIND DEVICE NUMBER [LINE...]
	printf '%s\n' "holdfast-statement/1 order" "fleet: $FLEET" "device: ${DEVICE_ID[$3]}" "order: $4" "kind: $2" "nonce: $(head -c 32 /dev/urandom | sha)"
	[ $# = 4 ] || printf '%s\n' "${@:5}"
	[ ! -e "$DIR/$1.$3.age" ] || seal_line payload 1 "$DIR/$1.$3.age"
}
batch_make() { # NAME KIND DEVICE...: signs a batch over the texts DIR/NAME.DEVICE.text, and puts the proofs behind them
	local name=$1 kind=$2 device hash i=0 texts=()
	for device in "${@:3}"; do texts+=("$DIR/$name.$device.text"); done
	{ printf '%s\n' "holdfast-statement/1 batch" "fleet: $FLEET" "kind: $kind" "person: ${AUTHOR:-alice}" "time: $(now)" "not-before: ${BEGINS:-$(later '-1 minute')}" \
		"expires: ${EXPIRES:-$(later '+1 hour')}" "root: ${BATCH_ROOT:-$ROOT}" "reason: ${REASON:-a test}" "count: ${#texts[@]}" \
		"tree: $("$TOP/tests/flow-parts/tree" root "${texts[@]}")"
	  [ -z "${BATCH_MORE:-}" ] || echo "$BATCH_MORE"; } | sign batch "${SIGNER:-${AUTHOR:-alice}}" >"$DIR/$name.batch"
	hash=$(text_of "$DIR/$name.batch" | sha)
	: >"$DIR/$name.controls"
	for person in ${APPROVALS:-}; do
		printf '%s\n' "holdfast-statement/1 control" "fleet: $FLEET" "batch: $hash" "action: approve" "person: $person" "time: $(now)" "root: $ROOT" |
			sign control "$person" >>"$DIR/$name.controls"
	done
	for device in "${@:3}"; do
		{ cat "$DIR/$name.$device.text"; "$TOP/tests/flow-parts/tree" prove "$hash" $i "${texts[@]}"; } >"$DIR/$name.$device.order"
		i=$((i + 1))
	done
}
plan() { # NAME KIND DEVICE NUMBER [LINE...]
	[ ! -e "$DIR/$1.payload" ] || seal_payload "$1" "$3"
	order_text "$@" >"$DIR/$1.$3.text"
	batch_make "$1" "$2" "$3"
}
# What a poll would bring of a plan.
list_of() { # DEVICE NAME
	cat "$DIR/$2.batch" "$DIR/$2.controls" "$DIR/$2.$1.order"
	[ ! -e "$DIR/$2.$1.age" ] || cat "$DIR/$2.$1.age"
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
receipts() { # DEVICE NAME: the files
	local file leaf
	leaf=$(leaf_of "$1" "$2")
	for file in $(objects); do
		head -n 1 "$file" | grep -aqx "holdfast-statement/1 receipt" && grep -aqx "device: ${DEVICE_ID[$1]}" "$file" && grep -aqx "leaf: $leaf" "$file" && echo "$file"
	done
	return 0
}
field() { sed -n "s/^$1: //p" "$2"; }
last_receipt() { # DEVICE NAME
	local file found=
	for file in $(receipts "$1" "$2"); do [ "$(field outcome "$file")" = healthy ] || found=$file; done
	[ -n "$found" ] && echo "$found"
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
