# tests/flow-parts/firmware.bash -- simulated switches with agents, and a server that delivers orders and images made by hand; to be sourced.
#
#   firmware_begin NAME...       switches on WeOS 5.23.0, reached by their console, each with an agent that joined and is admitted
#   package VERSION FILE         a package that the switches take, into DIR/FILE
#   statement FILE VERSION [LINE...]   signs what it is (more lines go before its size); it is what `upgrade_plan` then orders
#   upgrade_plan NAME DEVICE NUMBER [LINE...]
#   images DEVICE                "<which runs> <primary> <secondary>"
#   hold_console DEVICE SECONDS  another program has it for so long, from now on; its number is $HOLDER
. "$(dirname "${BASH_SOURCE[0]}")/orders.bash"
WEOS_SIM=$BUILD/tests/fake/weos-sim
. "$TOP/tests/weos.bash"
. "$TOP/tests/weos-agent.bash"
for tool in curl xxd; do command -v $tool >/dev/null || { echo "no $tool on this machine"; exit 77; }; done
curl -V | grep -qw tftp || { echo "this curl fetches nothing by TFTP"; exit 77; }

eval "orders_$(declare -f cleanup_more)"
cleanup_more() { weos_stop; orders_cleanup_more; }
agent_yaml() { # NAME MODE
	cat <<-END
		state: $DIR/agents
		wait: 60
		${FIRMWARE_SETTINGS:-firmware: {most: 64}}
		devices:
		  - name: $1
		    driver: weos
		    weos: {$(weos_way "$1" serial), serve: 127.0.0.1}
		    commit: {mode: commit, quiet: 1, watch: 1}
	END
}
switch_on() { weos_on "$1" --boot-seconds "${BOOT_SECONDS:-0.6}" --version 5.23.0 --name "$1" "${@:2}" >>"$DIR/weos.log" 2>&1 || fail "$1 does not come up"; }
firmware_begin() {
	local name
	weos_begin "$DIR/weos"
	server_begin
	mkdir -p "$S/firmware"
	for name in "$@"; do
		switch_on "$name"
		agent_yaml "$name" >"$DIR/$name.yaml"
		echo admin | agent "$name" credential "$name" >/dev/null || fail "no credential for $name"
		device_begin "$name"
	done
}

package() { "$WEOS_SIM" pkg --version "$1" --bytes "${3:-300000}" >"$DIR/$2"; }
statement() { # FILE VERSION [LINE...]
	local hash
	hash=$(sha <"$DIR/$1")
	cp "$DIR/$1" "$S/firmware/$hash"
	printf '%s\n' "holdfast-statement/1 firmware" "fleet: $FLEET" "driver: ${DRIVER:-weos}" "part: ${PART:-system}" ${MODEL:+"model: $MODEL"} "version: $2" "${@:3}" \
		"size: $(stat -c %s "$DIR/$1")" "image: $hash" "person: ${PERSON:-alice}" "time: $(now)" "root: $ROOT" | sign firmware "${PERSON:-alice}" >"$DIR/statement"
}
upgrade_plan() { # NAME DEVICE NUMBER [LINE...]
	payload "$1" <"$DIR/statement"
	plan "$1" upgrade "$2" "$3" "confirm: ${CONFIRM:-20}" "settle: 1" "${@:4}"
}
images() { # DEVICE: by what the switch itself says
	weos_typed "$1" 'show system-information' | sed -n 's/.*Active firmware *: \([^ ]*\).*/\1/p; s/^Main firmware ver. *: \([^ ]*\).*/\1/p; s/^Backup firmware ver *: \([^ ]*\).*/\1/p' | paste -sd' '
}
is_console_held() { ! flock -n "$(weos_pty "$1")" true; }
hold_console() {
	flock "$(weos_pty "$1")" sleep "$2" & HOLDER=$!
	until_true 10 is_console_held "$1" || fail "nobody holds the console of $1"
}
