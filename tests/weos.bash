# tests/weos.bash -- simulated WeOS devices for tests and by hand, with a real OpenSSH server before them; to be sourced.
#
#   weos_begin DIR               nothing runs yet; DIR/NAME is a device's place
#   weos_on NAME [OPTION...]     power: options of `weos-sim on`; the console is the pty $(weos_pty NAME); returns when it is up
#   weos_cut NAME                the plug is pulled (SIGKILL); weos_on puts it in again
#   weos_fault NAME FAULT [off]
#   weos_ssh NAME                an sshd in front of it; its port is $(weos_port NAME)
#   weos_stop                    everything is gone but DIR
#
# The sshd is OpenSSH's own with its password and key checks; users and hashes are those of the device's running configuration, which it
# is told by nss_wrapper, so no account of this machine is touched. The session behind it is the simulator's. A key in DIR/NAME/keys, as
# in authorized_keys, is let in for every user.

WEOS_DIR=
WEOS_PORTS='20000 12000' # the first that may be taken, and how many there are: slices of their own for those who begin at the same moment
WEOS_SIM=${HOLDFAST_BUILD:-build}/tests/fake/weos-sim
WEOS_WRAPPER=$(ls /usr/lib/*/libnss_wrapper.so 2>/dev/null | head -n 1)

# Prints why no SSH server can run here; nothing when it can.
weos_ssh_lacks() {
	[ -x /usr/sbin/sshd ] || { echo "no sshd on this machine"; return; }
	[ -n "$WEOS_WRAPPER" ] || { echo "no nss_wrapper on this machine"; return; }
	[ "$(id -u)" = 0 ] || echo "an sshd that lets others in needs root"
}

weos_begin() {
	WEOS_DIR=$1
	WEOS_SIM=$(realpath "$WEOS_SIM")
	mkdir -p "$WEOS_DIR"
}
weos_pty() { echo "$WEOS_DIR/$1/console"; }
weos_port() { cat "$WEOS_DIR/$1/port"; }
weos_state() { "$WEOS_SIM" state --state "$WEOS_DIR/$1" 2>/dev/null; }
weos_phase() { weos_state "$1" | sed -n 's/^phase //p'; }
weos_fault() { "$WEOS_SIM" fault --state "$WEOS_DIR/$1" "$2" "${3:-on}"; }
weos_flash() { "$WEOS_SIM" flash --state "$WEOS_DIR/$1" "${@:2}"; }

# weos_until SECONDS COMMAND...: until it succeeds
weos_until() {
	local end=$((SECONDS + $1))
	while ! "${@:2}"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
weos_is_in() { [ "$(weos_phase "$1")" = "$2" ]; }

# weos_start NAME [OPTION...]: power, and no waiting
weos_start() {
	local name=$1; shift
	mkdir -p "$WEOS_DIR/$name"
	"$WEOS_SIM" on --state "$WEOS_DIR/$name" --pty "$(weos_pty "$name")" "$@" >>"$WEOS_DIR/$name/log" 2>&1 &
	echo $! >"$WEOS_DIR/$name/pid"
	weos_until 10 weos_answers_or_died "$name" && weos_answers "$name" || { tail -n 3 "$WEOS_DIR/$name/log" >&2; return 1; }
}
weos_answers() { [ -n "$(weos_phase "$1")" ]; }
weos_answers_or_died() { weos_answers "$1" || ! kill -0 "$(cat "$WEOS_DIR/$1/pid")" 2>/dev/null; }
weos_on() { weos_start "$@" && weos_until 20 weos_is_in "$1" up; }

weos_end() { # NAME SIGNAL
	local pid
	pid=$(cat "$WEOS_DIR/$1/pid" 2>/dev/null) || return 0
	# before the kernel gives the number of its pty to another device: an agent that still looks here would speak to that one
	rm -f "$(weos_pty "$1")"
	kill -"$2" "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	rm -f "$WEOS_DIR/$1/pid" "$WEOS_DIR/$1/control"
}
weos_cut() { weos_end "$1" KILL; }
weos_off() { weos_end "$1" TERM; }

weos_ssh() {
	local at=$WEOS_DIR/$1/ssh lack port try
	lack=$(weos_ssh_lacks)
	[ -z "$lack" ] || { echo "$lack" >&2; return 1; }
	mkdir -p "$at"
	touch "$WEOS_DIR/$1/keys"
	[ -f "$at/host-key" ] || ssh-keygen -q -t ed25519 -N '' -f "$at/host-key"
	for try in 1 2 3 4 5; do
		port=$((${WEOS_PORTS% *} + RANDOM % ${WEOS_PORTS#* }))
		cat >"$at/config" <<-END
			ListenAddress 127.0.0.1:$port
			HostKey $at/host-key
			PidFile $at/pid
			AuthorizedKeysFile $WEOS_DIR/$1/keys
			PermitRootLogin yes
			PasswordAuthentication yes
			KbdInteractiveAuthentication no
			UsePAM no
			StrictModes no
			PrintMotd no
			PrintLastLog no
			MaxStartups 100
			ForceCommand exec $WEOS_SIM login --state $WEOS_DIR/$1 --user "\$USER"
		END
		# In a mount namespace of its own: sshd wants /run/sshd, and nothing may be left in /run.
		LD_PRELOAD=$WEOS_WRAPPER NSS_WRAPPER_PASSWD=$WEOS_DIR/$1/people/passwd NSS_WRAPPER_SHADOW=$WEOS_DIR/$1/people/shadow \
			NSS_WRAPPER_GROUP=/etc/group unshare --mount sh -c 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' sh \
			/usr/sbin/sshd -D -e -f "$at/config" >>"$at/log" 2>&1 &
		echo $! >"$at/process"
		if weos_until 3 test -s "$at/pid"; then
			echo "$port" >"$WEOS_DIR/$1/port"
			return 0
		fi
		kill "$(cat "$at/process")" 2>/dev/null
	done
	return 1
}
weos_ssh_stop() {
	local pid
	pid=$(cat "$WEOS_DIR/$1/ssh/process" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	rm -f "$WEOS_DIR/$1/ssh/process" "$WEOS_DIR/$1/ssh/pid" "$WEOS_DIR/$1/port"
}

weos_stop() {
	local at
	[ -n "$WEOS_DIR" ] || return 0
	for at in "$WEOS_DIR"/*/; do
		weos_ssh_stop "$(basename "$at")"
		weos_off "$(basename "$at")"
	done
}

# ---- a serial client ----

# weos_open NAME: the console's pty is open as $WEOS_FD; what it says, without CR and NUL, is collected in $WEOS_DIR/heard
weos_open() {
	: >"$WEOS_DIR/heard"
	exec {WEOS_FD}<>"$(weos_pty "$1")"
	stty raw -echo 115200 <&"$WEOS_FD"
	stdbuf -i0 -o0 tr -d '\r\000' <&"$WEOS_FD" >"$WEOS_DIR/heard" 2>/dev/null &
	WEOS_EAR=$!
	WEOS_HEARD=0
	sleep 0.1 # the line sees that somebody is there
}
# weos_ssh_open NAME [USER]: the same by ssh, with the key $WEOS_DIR/key, which is made and let in
weos_ssh_open() {
	: >"$WEOS_DIR/heard"
	[ -f "$WEOS_DIR/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$WEOS_DIR/key"
	cp "$WEOS_DIR/key.pub" "$WEOS_DIR/$1/keys"
	rm -f "$WEOS_DIR/typed"
	mkfifo "$WEOS_DIR/typed"
	ssh -tt -q -i "$WEOS_DIR/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p "$(weos_port "$1")" \
		"${2:-admin}@127.0.0.1" <"$WEOS_DIR/typed" 2>/dev/null > >(exec stdbuf -i0 -o0 tr -d '\r\000' >"$WEOS_DIR/heard") &
	WEOS_EAR=$!
	exec {WEOS_FD}>"$WEOS_DIR/typed"
	WEOS_HEARD=0
}
# weos_tcp_open PORT: the same by TCP
weos_tcp_open() {
	: >"$WEOS_DIR/heard"
	exec {WEOS_FD}<>"/dev/tcp/127.0.0.1/$1" || return 1
	stdbuf -i0 -o0 tr -d '\r\000' <&"$WEOS_FD" >"$WEOS_DIR/heard" 2>/dev/null &
	WEOS_EAR=$!
	WEOS_HEARD=0
}
weos_is_open() { kill -0 "$WEOS_EAR" 2>/dev/null; }
weos_close() {
	exec {WEOS_FD}>&-
	kill "$WEOS_EAR" 2>/dev/null
	wait "$WEOS_EAR" 2>/dev/null
	sleep 0.1
}
weos_send() { printf "$1" >&"$WEOS_FD"; } # as printf's format: 'show run\r'
# weos_expect TEXT [SECONDS]: waits until it is heard after what was expected before; what came before it is in $WEOS_BEFORE
weos_expect() {
	local LC_ALL=C end=$((SECONDS + ${2:-10})) text
	while :; do
		IFS= read -r -d '' text <"$WEOS_DIR/heard"
		text=${text:$WEOS_HEARD}
		case $text in *"$1"*)
			WEOS_BEFORE=${text%%"$1"*}
			WEOS_HEARD=$((WEOS_HEARD + ${#WEOS_BEFORE} + ${#1}))
			return 0 ;;
		esac
		[ $SECONDS -lt $end ] || { echo "not heard: '$1' in: $(tail -c 600 <<<"$text" | cat -v)" >&2; return 1; }
		sleep 0.03
	done
}
# weos_login [USER] [PASSWORD]: from the login prompt, which is asked for, to a prompt
weos_login() { weos_send '\r' && weos_expect 'login: ' && weos_send "${1:-admin}\r" && weos_expect 'Password: ' && weos_send "${2:-admin}\r" && weos_expect '#> '; }
# weos_do COMMAND: what it says, without echo and prompt; the session must be in batch
weos_do() { weos_send "$1\r" && weos_expect "$1"$'\n' && weos_expect ':/#> ' && WEOS_SAID=${WEOS_BEFORE%"${WEOS_BEFORE##*$'\n'}"}; }
