# tests/flow-parts/policies.bash -- a router r1 whose agent takes sets of policies made by hand; to be sourced.
#
#   set_of HEAD LINE...           a set on standard output; its parts are the files in BASELINE, WAIVERS and PACKS
#   waiver PERSON UNTIL [RULE]    a signed waiver
#   put_in_force NAME [HEAD LINE...]   the order that brings it is done; its number is in n, its name in IN_FORCE
#   judged WHAT "PASS FAIL UNKNOWN WAIVED" [SECONDS]   the newest verdict says so, about the set in force

. "$(dirname "${BASH_SOURCE[0]}")/orders.bash"
MODE=observe
n=0
next() { n=$((n + 1)); }

# ---- sets ----

# Head lines come as arguments; parts are the files in BASELINE, WAIVERS and PACKS.
set_of() {
	local file
	printf '%s\n' "holdfast-policies/1" "person: alice" "$@"
	[ -z "${BASELINE:-}" ] || echo "baseline: 3 $(echo x | sha) $(stat -c %s "$BASELINE")"
	for file in ${WAIVERS:-}; do echo "waiver: $(stat -c %s "$file")"; done
	for file in ${PACKS:-$DIR/plant.yaml}; do echo "policy: $(stat -c %s "$file")"; done
	echo
	cat ${BASELINE:-} ${WAIVERS:-} ${PACKS:-$DIR/plant.yaml}
}
cat >"$DIR/plant.yaml" <<-'END'
	holdfast-policy: 1
	pack: plant
	title: What we ask of our routers
	driver: frr
	rules:
	  - {id: routes, title: It routes, level: fundamental, severity: low, context: config, check: {present: router ospf}}
	  - {id: no-66, title: No way there, level: fundamental, severity: high, context: config, check: {absent: ip route 203.0.113.66/32 ...}}
END
waiver() { # PERSON UNTIL [RULE]
	printf '%s\n' "holdfast-statement/1 waiver" "fleet: $FLEET" "policy: plant" "rule: ${3:-no-66}" "person: $1" "time: $(now)" "until: $2" "root: $ROOT" \
		"reason: the old line needs it" | sign waiver "$1"
}
# As a server does: again, for a poll that is out of date when it is answered is not heard.
bring() {
	deliver r1 "$1"
	until_true 10 last_receipt r1 "$1" >/dev/null || deliver r1 "$1"
}
put_in_force() { # NAME [HEAD LINE...]
	next
	set_of "${@:2}" | payload "$1"
	plan "$1" policy r1 $n
	bring "$1"
	is "the set '$1'" "$(outcome r1 "$1" 40)" done
	one_receipt r1 "$1"
	is "its evidence" "$(field evidence "$(last_receipt r1 "$1")")" accepted
	IN_FORCE=$1
}
is_in_force() { agent r1 status | grep -q "^policies: order $n by alice: plant\$"; }
refused() { # WORDS NAME: what is delivered under that name has no effect, and what was in force still is
	bring "$2"
	is "the set '$2'" "$(outcome r1 "$2")" "refused policy"
	has "its note" "$(note r1 "$2")" "$1"
	case $(note r1 "$2") in *no-66* | *plant* | *funday*) fail "the note of '$2' quotes what was sealed: $(note r1 "$2")" ;; esac
	agent r1 status | grep -q "^policies: order $(sed -n 's/^order: //p' "$DIR/$IN_FORCE.r1.text") " || fail "'$2' was refused, and '$IN_FORCE' is not in force"
}

# ---- verdicts ----

counts() { local file; file=$(newest verdict r1); [ -z "$file" ] || echo "$(field pass "$file") $(field fail "$file") $(field unknown "$file") $(field waived "$file")"; }
counts_are() { [ "$(counts)" = "$1" ]; }
leaf_in_force() { [ "$(field policy "$(newest verdict r1)" | cut -d' ' -f2)" = "$(leaf_of r1 "$IN_FORCE")" ]; }
judged() { # WHAT "PASS FAIL UNKNOWN WAIVED" [SECONDS]
	until_true "${3:-40}" counts_are "$2" || fail "$1: the verdict says '$(counts)', not '$2'; $(tail -n 4 "$DIR/r1.log")"
	until_true 20 leaf_in_force || fail "$1: the verdict is about another set"
}
# With stock tools, as docs/recovery.md opens a snapshot: the epoch's key by the reader's, the findings by that.
findings() {
	local epoch verdict body secrets len
	epoch=$(newest epoch r1) verdict=$(newest verdict r1)
	body=$(field body-key "$epoch" | cut -d' ' -f2) secrets=$(field secrets-key "$epoch" | cut -d' ' -f2) len=$(field findings "$verdict" | cut -d' ' -f2)
	tail -c $((body + secrets)) "$epoch" | head -c "$body" | age -d -i "$DIR/alice.age" | tr -s '\n' >"$DIR/epoch.age"
	tail -c "$len" "$verdict" | age -d -i "$DIR/epoch.age" | zstd -d -q
}
is_mode() { agent r1 status | grep -qx "mode: $1"; }
status_says() { grep -qax "$1" "$S/status.${DEVICE_ID[r1]}"; }
