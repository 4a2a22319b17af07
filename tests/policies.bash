# tests/policies.bash -- what tests of policies on real agents share; to be sourced behind tests/plant.bash.
#
#   said NAME FIELD           of its newest verdict, as `policy status` verified it
#   has_said NAME             there is a verdict about what runs, by the policies that it was given last
#   standing NAME PACK RULE   of its newest findings
#   failing NAME              the rules that fail, in a line
#   fixed STATUS PACK[/RULE] NAME... [OPTION...]
#                             policy fix ends with this status, and each device's own verdict is pass and saved

said() { holdfast policy status "$1" --json 2>/dev/null | jq -r ".devices[0][\"$2\"] // \"\""; }
has_said() { [ "$(holdfast policy status "$1" --json 2>/dev/null | jq -r '.devices[0] | has("verdict") and (.stale | not)')" = true ]; }
findings() { holdfast policy findings "$1" --json 2>/dev/null; }
standing() { findings "$1" | jq -r --arg p "$2" --arg r "$3" '.rules[] | select(.pack == $p and .rule == $r).verdict'; }
failing() { findings "$1" | jq -r '[.rules[] | select(.verdict == "fail").rule] | join(" ")'; }
fixed() {
	local want=$1 got=0
	shift
	holdfast policy fix "$@" --yes --json >"$DIR/fixed" 2>"$DIR/fixed.err" || got=$?
	[ "$got" = "$want" ] || fail "policy fix $*: status $got: $(tail -n 15 "$DIR/fixed.err"; cat "$DIR/fixed")"
	[ "$(jq -r '[.devices[] | .verdict == "pass" and .saved] | all' "$DIR/fixed")" = true ] || fail "policy fix $*: $(cat "$DIR/fixed")"
}
