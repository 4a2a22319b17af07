# tests/flow/server.bash -- what the server-* tests share: a server, operators and devices, made with stock tools alone.
#
# Statements are written by printf and signed by ssh-keygen, seals are made by age, requests by curl: nothing here is our own code but
# the server, so what it accepts is what the documents say.

BUILD=${HOLDFAST_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
HOLDFASTD=$BUILD/server/holdfastd
DIR=$(mktemp -d)
SERVER_PID=

# The server is asked to end, not killed: a leak that a sanitizer finds at its end fails the test, too.
finish() {
	local status=$?
	if [ -n "$SERVER_PID" ]; then
		kill "$SERVER_PID" 2>/dev/null || true
		wait "$SERVER_PID" || status=1
	fi
	[ $status = 0 ] || [ $status = 77 ] || tail -n 20 "$DIR/log" >&2 || true
	! type cleanup_more >/dev/null 2>&1 || cleanup_more
	rm -rf "$DIR"
	exit $status
}
trap finish EXIT

fail() { echo "FAILED at ${BASH_LINENO[*]}: $*" >&2; [ ! -s "$DIR/body" ] || head -c 600 "$DIR/body" >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
later() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }
sha() { sha256sum | cut -c1-64; }
b64url() { basenc --base64url | tr -d '=\n'; }
id_of() { xxd -r -p | base32 | tr 'A-Z' 'a-z' | cut -c1-26; } # of a SHA-256 in hex
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}

# server_init [more lines for holdfastd.yaml]
server_init() {
	PORT=$(free_port)
	URL=https://localhost:$PORT
	SERVER=${SERVER:-$DIR/server}
	"$HOLDFASTD" init "$SERVER" --address "localhost:$PORT" --listen "127.0.0.1:$PORT" --setup "$DIR/setup"
	is "mode of the setup file" "$(stat -c %a "$DIR/setup")" 600
	[ $# = 0 ] || printf '%s\n' "$@" >>"$SERVER/holdfastd.yaml"
	IFS=: read -r _ _ PIN CODE ARCHIVE _ <"$DIR/setup"
	ARCHIVE_KEY="ssh-ed25519 $(printf '%s' "$ARCHIVE" | tr -- '-_' '+/')"
	PIN64=$(printf '%s=' "$PIN" | tr -- '-_' '+/')
}

server_start() {
	"$HOLDFASTD" serve "$SERVER" 2>>"$DIR/log" &
	SERVER_PID=$!
	for _ in $(seq 100); do
		[ "$(request /readyz)" != 200 ] || return 0
		kill -0 "$SERVER_PID" || fail "the server ended"
		sleep 0.1
	done
	fail "the server does not start"
}

# request PATH [curl options]: prints the status; the body is in $DIR/body, the headers in $DIR/headers
request() {
	local path=$1
	shift
	: >"$DIR/body"
	curl -s -k --pinnedpubkey "sha256//$PIN64" -o "$DIR/body" -D "$DIR/headers" -w '%{http_code}' "$@" "$URL$path" || true
}
post() { request "$1" --data-binary "@$2" "${@:3}"; }
field() { jq -r ".\"$1\"" "$DIR/body"; }
header() { tr -d '\r' <"$DIR/headers" | sed -n "s/^$1: //Ip"; }
# is_problem STATUS WORD GOT
is_problem() {
	is "status" "$3" "$1"
	is "type" "$(field type)" "urn:holdfast:$2"
	[ -n "$(field detail)" ] || fail "a problem without detail"
}

new_key() { ssh-keygen -q -t ed25519 -N '' -C '' -f "$DIR/$1"; age-keygen -o "$DIR/$1.age" 2>/dev/null; }
pub() { cut -d' ' -f1,2 "$DIR/$1.pub"; }
recipient() { age-keygen -y "$DIR/$1.age"; }
device_id() { cut -d' ' -f2 "$DIR/$1.pub" | base64 -d | sha | id_of; }

# sign TYPE KEY: the text on standard input with its signature behind it
sign() {
	cat >"$DIR/text"
	rm -f "$DIR/text.sig"
	ssh-keygen -q -Y sign -n "$1@holdfast" -f "$DIR/$2" "$DIR/text" 2>/dev/null
	cat "$DIR/text" "$DIR/text.sig"
}
text_of() { sed '/^-----BEGIN SSH/,$d' "$1"; }

# root of alice (but for retirement all roles) and bob (auditor); prints the text
root_text() {
	echo "holdfast-statement/1 root"
	echo "version: 1"
	echo "time: $(now)"
	echo "expires: $(later '+1 year')"
	echo "name: plant-a"
	printf 'person: %s\n' alice bob
	echo "key: alice $(pub alice)"
	echo "key: bob $(pub bob)"
	echo "reading-key: alice $(recipient alice)"
	printf 'role: %s alice\n' root admin reader
	printf 'role: %s\n' "auditor bob" "deployer alice"
	echo "archive: ${1:-$ARCHIVE_KEY}"
	echo "tls-pin: $PIN64"
	echo "server: localhost:$PORT"
}
claim() {
	new_key alice
	new_key bob
	root_text | sign root alice >"$DIR/root"
	FLEET=$(text_of "$DIR/root" | sha | id_of)
	is "claim" "$(post /v1/claim "$DIR/root" -H "Holdfast-Claim: $CODE")" 200
}

# login PERSON: sets TOKEN; more arguments replace server and key
login() {
	is "challenge" "$(request /v1/challenge)" 200
	printf '%s\n' "holdfast-statement/1 login" "fleet: $FLEET" "person: $1" "server: ${2:-$URL}" "challenge: $(field challenge)" \
		"time: $(now)" | sign login "${3:-$1}" >"$DIR/login"
	LOGIN=$(post /v1/login "$DIR/login")
	TOKEN=$(field token)
}
read_as() { request "$1" -H "Authorization: Bearer $TOKEN" "${@:2}"; }

seal_line() { echo "$1: $2 $(stat -c %s "$3") $(sha <"$3")"; }

# invite NAME: makes $DIR/NAME.secret and posts the invite
invite() {
	head -c 32 /dev/urandom >"$DIR/$1.secret"
	base64 "$DIR/$1.secret" | age -r "$(recipient alice)" >"$DIR/$1.secret.age"
	INVITE=$(sha <"$DIR/$1.secret" | id_of)
	{ printf '%s\n' "holdfast-statement/1 invite" "fleet: $FLEET" "invite: $INVITE" "device-name: $1" "time: $(now)" \
		"expires: $(later '+1 day')" "root: 1"
	  seal_line secret 1 "$DIR/$1.secret.age"; } | sign invite "${2:-alice}" >"$DIR/$1.invite"
	cat "$DIR/$1.secret.age" >>"$DIR/$1.invite"
	INVITED=$(post /v1/objects "$DIR/$1.invite")
}
# enrol NAME: makes the device's keys, $DIR/NAME.enrol
enrol() {
	[ -e "$DIR/$1" ] || new_key "$1"
	printf '%s\n' "holdfast-statement/1 enrol" "fleet: $FLEET" "device: $(device_id "$1")" "number: 1" "invite: $INVITE" "key: $(pub "$1")" \
		"box: $(recipient "$1")" "driver: frr" "time: $(now)" >"$DIR/enrol-text"
	echo "mac: $(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(xxd -p -c 64 "$DIR/$1.secret")" <"$DIR/enrol-text" | sed 's/.*= //')" \
		>>"$DIR/enrol-text"
	sign enrol "$1" <"$DIR/enrol-text" >"$DIR/$1.enrol"
}
# admit NAME [KEY]
admit() {
	printf '%s\n' "holdfast-statement/1 admit" "fleet: $FLEET" "device: $(device_id "$1")" "enrol: $(text_of "$DIR/$1.enrol" | sha)" \
		"device-name: $1" "time: $(now)" "root: 1" | sign admit "${2:-alice}" >"$DIR/$1.admit"
}
# epoch NAME: number 2, epoch 1
epoch() {
	age-keygen 2>/dev/null | age -r "$(recipient alice)" >"$DIR/$1.body-key"
	age-keygen 2>/dev/null | age -r "$(recipient alice)" >"$DIR/$1.secrets-key"
	{ printf '%s\n' "holdfast-statement/1 epoch" "fleet: $FLEET" "device: $(device_id "$1")" "number: 2" \
		"prev: $(text_of "$DIR/$1.enrol" | sha)" "time: $(now)" "epoch: 1" "root: 1" "body: $(recipient "$1")" "secrets: $(recipient "$1")"
	  seal_line body-key 2 "$DIR/$1.body-key"
	  seal_line secrets-key 2 "$DIR/$1.secrets-key"; } | sign epoch "$1" >"$DIR/$1.epoch"
	cat "$DIR/$1.body-key" "$DIR/$1.secrets-key" >>"$DIR/$1.epoch"
}
# snapshot NAME NUMBER PREV [BYTES] [SIGNER]: prints a container with a base of that many bytes
snapshot() {
	head -c "${4:-400}" /dev/urandom | age -r "$(recipient "$1")" >"$DIR/base"
	{ printf '%s\n' "holdfast-statement/1 snapshot" "fleet: $FLEET" "device: $(device_id "$1")" "number: $2" "prev: $3" "time: $(now)" \
		"epoch: 1" "root: 1" "reason: change" "saved: yes" "mode: observe" "changed: 1 0"
	  seal_line base "$2" "$DIR/base"; } | sign snapshot "${5:-$1}"
	cat "$DIR/base"
}
# status NAME HEAD-NUMBER HEAD-HASH WAIT
status() {
	printf '%s\n' "holdfast-statement/1 status" "fleet: $FLEET" "device: $(device_id "$1")" "time: $(now)" "head: $2 $3" "root: 1" \
		"saved: yes" "mode: observe" "wait: $4" | sign status "${5:-$1}"
}

# firmware IMAGE VERSION [SIZE] [SIGNER] [PERSON]: prints a statement about it
firmware() {
	printf '%s\n' "holdfast-statement/1 firmware" "fleet: $FLEET" "driver: weos" "part: system" "version: $2" \
		"size: ${3:-$(stat -c %s "$1")}" "image: $(sha <"$1")" "person: ${5:-alice}" "time: $(now)" "root: 1" | sign firmware "${4:-alice}"
}
vouch() { firmware "$@" >"$DIR/statement"; post /v1/objects "$DIR/statement"; }
# put IMAGE [curl options]: sends it in, in the session of $TOKEN
put() { request "/v1/firmware/$(sha <"$1")" -X PUT -T "$1" -H "Authorization: Bearer $TOKEN" -H 'Expect: 100-continue' "${@:2}"; }
