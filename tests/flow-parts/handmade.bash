# tests/flow-parts/handmade.bash -- orders made by hand, with stock tools alone; to be sourced.
#
# Written by printf, signed by ssh-keygen, sealed by age: so what is obeyed and refused is what the documents say. Needs fail, DIR, TOP, FLEET, ROOT
# (the version in force), DEVICE_ID[NAME], and in DIR a key and a .age of each person, NAME.box of each device.
#
#   payload NAME              the payload of the plan of that name, from standard input
#   plan NAME KIND DEVICE NUMBER [ORDER LINE...]   makes DIR/NAME.*: text, payload, batch, order
#   list_of DEVICE NAME       what a poll would bring of it
# More of a batch than one line is in BATCH_MORE, another author in AUTHOR, times in BEGINS and EXPIRES, more approvals in APPROVALS. A batch
# begins a minute ago: the time that an agent believes lags behind the clock, and of two orders only the first might have begun for it.

declare -A DEVICE_ID=()

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
later() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }
sha() { sha256sum | cut -c1-64; }
b64url() { basenc --base64url | tr -d '=\n'; }
id_of() { xxd -r -p | base32 | tr 'A-Z' 'a-z' | cut -c1-26; }
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
