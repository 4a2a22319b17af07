# tests/flow-parts/liar.bash -- a plant whose server is in a thief's hands: true as long as nothing else is said (flow-parts/liar); to be
# sourced in place of tests/plant.bash.
#
# Orders are the operator's own, or made by hand with the operator's key (handmade.bash); what devices answer goes to the true server, and is
# read there with `holdfast log`.
#
#   inject NAME FILE          the next poll of the device brings this
#   deliver NAME PLAN...      ... these plans
#   refused NAME CHECK WORDS  its next receipt, archived, refuses by that check, says this and what to do, and the router is as it was

. "$(dirname "${BASH_SOURCE[0]}")/../plant.bash"
. "$TOP/tests/flow-parts/handmade.bash"
has() { case $2 in *"$3"*) ;; *) fail "$1: no '$3' in '$2'" ;; esac; }
quiet() { "$@" >>"$DIR/logs/plant" 2>&1 || fail "'$*' ended with $?"; }

# ---- the plant ----

plant_server() { # in place of the honest one's
	PLANT_PORT=$(plant_free_port)
	LIAR_PORT=$(plant_free_port)
	L=$DIR/liar
	(umask 077; holdfastd init "$DIR/server" --address "localhost:$LIAR_PORT" --listen "127.0.0.1:$PLANT_PORT" --setup "$DIR/setup") || return 1
	mkdir -p "$L"
	(umask 077; cat "$DIR/server/tls.key" "$DIR/server/tls.crt" >"$DIR/tls.pem")
	echo "$PLANT_PORT" >"$L/port"
	plant_server_start && plant_spawn liar "$TOP/tests/flow-parts/liar" "$DIR/tls.pem" "$L" "$LIAR_PORT" && plant_until 10 liar_answers
}
liar_answers() { curl -s -k -o /dev/null "https://127.0.0.1:$LIAR_PORT/livez"; }

person() { # NAME HOME: keys for what is made by hand
	cp "$DIR/$2/signing.key" "$DIR/$1"
	cp "$DIR/$2/signing.key.pub" "$DIR/$1.pub"
	cp "$DIR/$2/reading.key" "$DIR/$1.age"
	chmod 600 "$DIR/$1"
}
noted() { plant_agent_command "$1" status "$1" | sed -n 's/^order: //p'; } # the last number that the device took note of
root_now() { ROOT=$(holdfast root show --json | jq .version); }
liar_plant() { # NAME...: bob deploys beside alice, and reads; they are two for a revert
	local name id
	test_plant "$@"
	quiet holdfast root card -o "$DIR/card"
	quiet holdfast_as home-bob enlist "$DIR/card" --person bob --no-passphrase -o "$DIR/bob.request"
	quiet holdfast root edit --add-person "$DIR/bob.request" --role deployer --role reader --threshold revert=2 --publish --yes
	test_agents observe "$@"
	FLEET=$(holdfast root show --json | jq -r .fleet)
	root_now
	person alice operator
	person bob home-bob
	new_key thief
	for name in "$@"; do
		id=$(plant_field "$name" id)
		DEVICE_ID[$name]=$id
		git -C "$DIR/server/archive.git" show "main:devices/${id:0:2}/${id:2:2}/$id/enrol" | sed -n 's/^box: //p' >"$DIR/$name.box"
	done
}

# ---- lies ----

inject() { # NAME FILE
	cp "$2" "$L/poll.new"
	mv "$L/poll.new" "$L/poll.${DEVICE_ID[$1]}"
}
deliver() { # NAME PLAN...
	local plan
	for plan in "${@:2}"; do list_of "$1" "$plan"; done >"$DIR/list"
	inject "$1" "$DIR/list"
}
path_of() { echo "${1//\//%}"; }
true_answer() { cat "$L/true/$(path_of "$1")"; } # PATH: the newest
lie_about() { # PATH: standard input
	cat >"$L/say.new"
	mv "$L/say.new" "$L/say/$(path_of "$1")"
}
lie_no_more() { rm -f "$L"/say/* "$L/withhold"; }

# ---- what becomes of it ----

# What it runs and what it boots.
state_of() { router_vtysh "$1" -c 'show running-config'; cat "$(router_file "$1")"; }
route() { echo "ip route 203.0.113.$1/32 Null0"; }
head_of() { plant_field "$1" head 2>>"$DIR/logs/plant"; }
receipt_after() { # NAME NUMBER: the next one behind that number goes into RECEIPT
	RECEIPT=$(holdfast log "$1" --limit 40 --json 2>>"$DIR/logs/plant" |
		jq -c --argjson n "$2" '[.entries[] | select(.type == "receipt" and .number > $n)] | last // empty') && [ -n "$RECEIPT" ]
}
receipt_field() { jq -r ".\"$1\" // \"\"" <<<"$RECEIPT"; }
BEFORE= # the head of the device that is attacked; its state is in DIR/before
before() { BEFORE=$(head_of "$1"); state_of "$1" >"$DIR/before"; }
untouched() { # NAME WHAT
	state_of "$1" | cmp -s - "$DIR/before" || fail "$1 was changed by $2: $(state_of "$1" | diff "$DIR/before" -)"
}
settled_so() { # NAME OUTCOME CHECK [SECONDS]
	plant_until "${4:-30}" receipt_after "$1" "$BEFORE" || fail "no receipt of $1: $(tail -n 4 "$DIR/logs/agent-$1")"
	is "the receipt of $1 ($(receipt_field note))" "$(receipt_field outcome) $(receipt_field check)" "$2 $3"
}
refused() { # NAME CHECK WORDS
	settled_so "$1" refused "$2"
	has "the note" "$(receipt_field note)" "$3"
	has "what to do, by the device" "$(receipt_field note)" "; "
	[ -n "$(receipt_field says)" ] && [ -n "$(receipt_field todo)" ] || fail "'$2' is not explained"
	untouched "$1" "what was refused ($2)"
}
# ordered NAME LINE TARGET...: a rollout by alice, signed and posted; its id goes into BATCH. More keys of the plan file are in PLAN_MORE.
ordered() {
	{ printf '%s\n' "reason: a test" "targets: [$(printf '%s,' "${@:3}" | sed 's/,$//')]" "lines: |" "  $2" "settle: 1s"
	  [ -z "${PLAN_MORE:-}" ] || echo "$PLAN_MORE"; } >"$DIR/$1.yaml"
	rm -f "$DIR/$1.plan"
	holdfast rollout plan "$DIR/$1.yaml" -o "$DIR/$1.plan" >"$DIR/rollout" 2>&1
	[ -s "$DIR/$1.plan" ] || fail "no plan: $(tail -n 3 "$DIR/rollout")"
	quiet holdfast rollout apply "$DIR/$1.plan"
	BATCH=$(batch_newest)
}
# stolen NAME DEVICE: that batch, with its order and what it brings, off the server's disk, as DIR/NAME.*
stolen() {
	local id=${DEVICE_ID[$2]} git="git -C $DIR/server/archive.git"
	plant_until 10 $git cat-file -e "main:batches/$BATCH/orders/${id:0:2}/$id" 2>/dev/null || fail "the order is not archived"
	$git show "main:batches/$BATCH/batch" >"$DIR/$1.batch"
	: >"$DIR/$1.controls"
	$git show "main:batches/$BATCH/orders/${id:0:2}/$id" >"$DIR/$1.$2.order"
	cp "$DIR/server/payloads/$BATCH/$id.age" "$DIR/$1.$2.age" 2>/dev/null || true
}

# The operator's command ends with this status and says this.
operator_ends() { # STATUS WORDS COMMAND...
	local status=0
	holdfast "${@:3}" >"$DIR/out" 2>"$DIR/err" </dev/null || status=$?
	is "status of 'holdfast ${*:3}' ($(tail -n 2 "$DIR/err"))" $status "$1"
	has "'holdfast ${*:3}'" "$(cat "$DIR/err")" "$2"
}
