# tests/weos-agent.bash -- what tests of the WeOS driver share: a simulated device, every way to it, and the settings for each; to be sourced
# behind tests/weos.bash.
#
#   weos_ways                     the names of the ways: serial tcp rfc2217 ssh-key ssh-password
#   weos_ways_on NAME [OPTION...] the device, with all of them open
#   weos_agent_yaml NAME WAY      settings of an agent for it, on standard output
#   weos_typed NAME [LINE...]     somebody at the device types these lines; what it answers
#   weos_running NAME, weos_startup NAME
#   weos_quiet NAME               nobody is logged in, and no context is open

weos_ways() { echo serial tcp rfc2217 ssh-key ssh-password; }
weos_free_port() {
	local port
	while :; do
		port=$((${WEOS_PORTS% *} + RANDOM % ${WEOS_PORTS#* }))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}
weos_ways_on() {
	local at=$WEOS_DIR/$1
	mkdir -p "$at"
	[ -f "$at/tcp" ] || weos_free_port >"$at/tcp"
	[ -f "$at/rfc2217" ] || weos_free_port >"$at/rfc2217"
	weos_on "$1" --boot-seconds 0.6 --tcp "127.0.0.1:$(cat "$at/tcp")" --rfc2217 "127.0.0.1:$(cat "$at/rfc2217")" "${@:2}" || return 1
	[ ! -s "$at/port" ] || return 0
	weos_ssh "$1" || return 1
	ssh-keygen -q -t ed25519 -N '' -f "$at/id" && cat "$at/id.pub" >"$at/keys"
	echo "[127.0.0.1]:$(weos_port "$1") $(cut -d' ' -f1,2 "$at/ssh/host-key.pub")" >"$at/known-hosts"
}
# The lines of agent.yaml that say what it is and how it is reached.
weos_device() { printf '    driver: weos\n    weos: {%s}' "$(weos_way "$1" "$2")"; } # NAME WAY
weos_way() {
	local at=$WEOS_DIR/$1
	case $2 in
	serial) echo "serial: $(weos_pty "$1")" ;;
	tcp) echo "tcp: '127.0.0.1:$(cat "$at/tcp")'" ;;
	rfc2217) echo "rfc2217: '127.0.0.1:$(cat "$at/rfc2217")'" ;;
	ssh-key) echo "ssh: '127.0.0.1:$(weos_port "$1")', known-hosts: $at/known-hosts, identity: $at/id" ;;
	ssh-password) echo "ssh: '127.0.0.1:$(weos_port "$1")', known-hosts: $at/known-hosts" ;;
	esac
}
weos_agent_yaml() { # NAME WAY [MODE]
	cat <<-END
		state: $WEOS_DIR/$1/agent
		devices:
		  - name: $1
		    driver: weos
		    weos: {$(weos_way "$1" "$2")}
		    commit: {mode: ${3:-commit}, quiet: 3, watch: 1}
	END
}
weos_typed() {
	local name=$1 line
	shift
	{
		printf 'batch\r'
		for line in "$@"; do printf '%s\r' "$line"; done
		sleep 0.3
		printf 'logout\r'
	} | timeout 10 "$WEOS_SIM" login --state "$WEOS_DIR/$name" --user "${WEOS_USER:-admin}" | tr -d '\r'
}
weos_shown() { weos_typed "$1" "$2" | sed -n "/#> $2\$/,/#> /p" | sed '1d;/#> /d'; }
weos_running() { weos_shown "$1" 'show running-config'; }
weos_startup() { weos_shown "$1" 'show startup-config' | sed '/^____/,$d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
weos_quiet() { ! weos_state "$1" | grep -qE '^session (console [^-]|ssh|.* context)'; }
