# tests/server-figures.bash -- for acceptance tests that judge what tests/bench/server measures: runs it, and holds its figures against what was
# promised. HOLDFAST_BENCH_DEVICES: with fewer than 10,000, by hand.
DEVICES=${HOLDFAST_BENCH_DEVICES:-10000}
build=${HOLDFAST_BUILD:-$PWD/build-release}
report=$(mktemp); trap 'rm -f "$report"' EXIT
missed=0

# PHASES: letters, see tests/bench/server.c
measure() { HOLDFAST_BUILD=$build tests/bench/server "$DEVICES" "$1" | tee "$report"; }

# PATTERN: of sed, with one group: the first number that it finds in the report
figure() {
	local found; found=$(sed -n "s/.*$1.*/\1/p" "$report" | head -n 1)
	[ -n "$found" ] || { echo "the bench printed no figure for: $1" >&2; exit 1; }
	echo "$found"
}

# WHAT FIGURE at-most|at-least|below BOUND
holds() {
	local ok; ok=$(awk -v a="$2" -v how="$3" -v b="$4" 'BEGIN { print (how == "at-most" ? a <= b : how == "below" ? a < b : a >= b) }')
	[ "$ok" = 1 ] || missed=$((missed + 1))
	echo "figure: $1 = $2 ($3 $4): $([ "$ok" = 1 ] && echo holds || echo "falls short")"
}

verdict() { [ "$missed" -eq 0 ] || { echo "$missed figure(s) fall short" >&2; exit 1; }; }
