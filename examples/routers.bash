# examples/routers.bash -- real FRRouting routers side by side on one machine, linked in a line; to be sourced.
#
#   routers_begin DIR r1 r2 r3   network and folders; nothing runs yet
#   router_config r1             writes DIR/r1/frr.conf with secrets in it, and notes them in DIR/planted
#   router_start r1              starts its daemons and loads frr.conf, as a boot would
#   router_vtysh r1 -c '...'     talks to it
#   router_kill r1               the plug is pulled: kill -9, nothing is saved
#   router_boot r1               power is back: daemons start and load frr.conf
#   routers_stop                 everything is gone but DIR
#   routers_lan DIR              before routers_begin: a management network, 172.31.0.1 for whoever is in it (lan_run COMMAND...); each
#                                router then has an interface `mgmt`, 172.31.0.10 and up, in its configuration
#
# Each router has a network and UTS namespace, kept by a process that sleeps (`ip netns` would need a place to mount), and a pathspace
# of FRR: its sockets and pid files are in /var/run/frr/<pathspace>, its configuration in DIR/<name>, to which /etc/frr/<pathspace> is
# a link, so plain `vtysh -N <pathspace>` works. r1's `right` is wired to r2's `left`, and so on. Needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN).

ROUTERS_DIR=
ROUTERS=()
ROUTERS_LAN= # pid of the process that keeps the management network
# Another run on this machine must not meet this one: pathspaces are named after the process.
ROUTERS_PREFIX=${ROUTERS_PREFIX:-hf$$}
# zebra first: the others connect to it.
ROUTER_DAEMONS=${ROUTER_DAEMONS:-zebra staticd ospfd bgpd}

routers_say() { echo "routers: $*" >&2; }

# Prints why routers cannot run here; nothing when they can.
routers_lack() {
	local tool
	for tool in /usr/lib/frr/zebra vtysh ip unshare nsenter; do
		command -v "$tool" >/dev/null || { echo "no $tool on this machine"; return; }
	done
	[ "$(id -u)" = 0 ] || { echo "routers in namespaces need root"; return; }
	unshare --net --uts true 2>/dev/null || echo "no network namespace can be made here"
}

router_pathspace() { echo "$ROUTERS_PREFIX-$1"; }
router_file() { echo "$ROUTERS_DIR/$1/frr.conf"; } # what it boots from

# router_run NAME COMMAND...: in its namespaces
router_run() {
	local keeper
	keeper=$(cat "$ROUTERS_DIR/$1/keeper") || return 1
	nsenter --target "$keeper" --net --uts -- "${@:2}"
}
router_vtysh() { VTYSH_PAGER=cat router_run "$1" vtysh -N "$(router_pathspace "$1")" "${@:2}"; }

# Its place in the line, from 1.
router_index() {
	local i
	for i in "${!ROUTERS[@]}"; do [ "${ROUTERS[i]}" != "$1" ] || { echo $((i + 1)); return; }; done
	routers_say "there is no router $1"
	return 1
}

# Nothing that a daemon keeps for its life may be ours: a lock or a pipe of the script would never be let go.
router_close_fds() {
	local fd
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || eval "exec $fd>&-"
	done
}

# The namespaces live as long as this process, which does nothing.
router_keep() {
	local name=$1 dir=$ROUTERS_DIR/$1 space
	space=$(router_pathspace "$name")
	if [ -e "/etc/frr/$space" ] || [ -L "/etc/frr/$space" ]; then routers_say "/etc/frr/$space is there already"; return 1; fi
	install -d -m 0755 "$dir"
	install -d -o frr -g frr -m 0755 /var/run/frr "/var/run/frr/$space"
	install -o frr -g frr -m 0640 /dev/stdin "$dir/vtysh.conf" <<<"service integrated-vtysh-config"
	ln -s "$(realpath "$dir")" "/etc/frr/$space"
	rm -f "$dir/keeper"
	(
		router_close_fds
		exec unshare --net --uts sh -c 'hostname "$1" && echo $$ >"$2.new" && mv "$2.new" "$2" && exec sleep infinity' - \
			"$name" "$dir/keeper"
	) </dev/null >>"$dir/log" 2>&1 &
	disown
	for _ in $(seq 100); do [ ! -s "$dir/keeper" ] || break; sleep 0.02; done
	router_run "$name" ip link set lo up || return 1
	# FRR writes "no ip forwarding" into a configuration that never said so, unless it is on.
	router_run "$name" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

router_link() { # LEFT RIGHT
	local a b
	a=$(cat "$ROUTERS_DIR/$1/keeper") && b=$(cat "$ROUTERS_DIR/$2/keeper") || return 1
	router_run "$1" ip link add right type veth peer name left netns "$b" &&
		router_run "$1" ip link set right up && router_run "$2" ip link set left up
}

# ---- the management network ----

routers_lan() { # DIR
	install -d -m 0755 "$1"
	rm -f "$1/lan"
	(
		router_close_fds
		exec unshare --net sh -c 'echo $$ >"$1.new" && mv "$1.new" "$1" && exec sleep infinity' - "$1/lan"
	) </dev/null >/dev/null 2>&1 &
	disown
	for _ in $(seq 100); do [ ! -s "$1/lan" ] || break; sleep 0.02; done
	ROUTERS_LAN=$(cat "$1/lan") || return 1
	lan_run ip link set lo up && lan_run ip link add br0 type bridge && lan_run ip link set br0 up &&
		lan_run ip addr add 172.31.0.1/24 dev br0
}
lan_run() { nsenter --target "$ROUTERS_LAN" --net -- "$@"; }
router_lan_address() { echo "172.31.0.$((9 + $(router_index "$1")))"; }
router_lan_link() { # NAME
	local port
	port=p$(router_index "$1") || return 1
	router_run "$1" ip link add mgmt type veth peer name "$port" netns "$ROUTERS_LAN" &&
		router_run "$1" ip link set mgmt up && lan_run ip link set "$port" master br0 && lan_run ip link set "$port" up
}

routers_begin() {
	local name last=
	[ -z "$(routers_lack)" ] || { routers_say "$(routers_lack)"; return 1; }
	ROUTERS_DIR=$1
	ROUTERS=("${@:2}")
	install -d -m 0755 "$ROUTERS_DIR"
	for name in "${ROUTERS[@]}"; do
		router_keep "$name" || { routers_say "$name: $(tail -n 1 "$ROUTERS_DIR/$name/log" 2>/dev/null)"; return 1; }
		[ -z "$last" ] || router_link "$last" "$name" || return 1
		[ -z "$ROUTERS_LAN" ] || router_lan_link "$name" || return 1
		last=$name
	done
}

# router_plant NAME KIND [LENGTH]: prints a new secret, and notes it in DIR/planted: one a line, as the router shows it
router_plant() {
	local random secret
	random=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
	secret=PLANTED-$1-$2-$random
	[ -z "${3:-}" ] || secret=PLANTED-${random::$(($3 - 8))}
	echo "$secret" >>"$ROUTERS_DIR/planted"
	echo "$secret"
}

# router_link_secret NUMBER KIND [LENGTH]: the secret that both ends of a link share, made when first asked for
router_link_secret() {
	local file=$ROUTERS_DIR/link-$1.$2
	[ -s "$file" ] || (umask 077; router_plant "link$1" "$2" "${3:-}" >"$file")
	cat "$file"
}

router_interface() { # NAME, INTERFACE, ADDRESS, LINK'S NUMBER, WHAT IT LEADS TO
	cat <<-END
		interface $2
		 description to $5
		 ip address $3
		 ip ospf authentication message-digest
		 ip ospf dead-interval 4
		 ip ospf hello-interval 1
		 ip ospf message-digest-key 1 md5 $(router_link_secret "$4" ospf 16)
		 ip ospf network point-to-point
		exit
		!
	END
}
router_neighbor() { # ADDRESS, AS, LINK'S NUMBER
	cat <<-END
		 neighbor $1 remote-as $2
		 neighbor $1 password $(router_link_secret "$3" bgp)
	END
}

# A configuration as FRR would write it itself, so that after a boot running and startup are equal. Only what zebra, staticd, ospfd and
# bgpd hold is in it.
router_text() {
	local name=$1 i count=${#ROUTERS[@]}
	i=$(router_index "$name") || return 1
	cat <<-END
		frr version $(/usr/lib/frr/zebra --version | sed -n "s/^zebra version //p")
		frr defaults traditional
		hostname $name
		service integrated-vtysh-config
		!
		password $(router_plant "$name" vty)
		enable password $(router_plant "$name" enable)
		!
		ip route 198.51.100.0/24 10.0.$i.254
		ip route 192.0.2.$((i * 16))/28 Null0
		!
	END
	[ "$i" = 1 ] || router_interface "$name" left "10.0.$((i - 1)).2/24" $((i - 1)) "${ROUTERS[i - 2]}"
	[ -z "$ROUTERS_LAN" ] || printf 'interface mgmt\n ip address %s/24\nexit\n!\n' "$(router_lan_address "$name")"
	[ "$i" = "$count" ] || router_interface "$name" right "10.0.$i.1/24" "$i" "${ROUTERS[i]}"
	cat <<-END
		router bgp $((65000 + i))
		 bgp router-id 10.255.0.$i
		 no bgp ebgp-requires-policy
	END
	[ "$i" = 1 ] || router_neighbor "10.0.$((i - 1)).1" $((65000 + i - 1)) $((i - 1))
	[ "$i" = "$count" ] || router_neighbor "10.0.$i.2" $((65000 + i + 1)) "$i"
	cat <<-END
		 !
		 address-family ipv4 unicast
		  network 192.0.2.$((i * 16))/28
		 exit-address-family
		exit
		!
		router ospf
		 ospf router-id 10.255.0.$i
		 network 10.0.0.0/16 area 0
		 area 0 authentication message-digest
		exit
		!
	END
}

# Writes the file that the router boots from. The secrets in it are in DIR/planted afterwards.
router_config() {
	router_text "$1" | install -o frr -g frr -m 0640 /dev/stdin "$(router_file "$1")"
}

router_daemon() { # NAME DAEMON
	local space
	space=$(router_pathspace "$1")
	(
		router_close_fds
		echo "$BASHPID" >>"$ROUTERS_DIR/$1/started"
		exec nsenter --target "$(cat "$ROUTERS_DIR/$1/keeper")" --net --uts -- "/usr/lib/frr/$2" -d -N "$space" -A 127.0.0.1
	) </dev/null >>"$ROUTERS_DIR/$1/log" 2>&1
}

# Daemons first, then the file into them: they do not read it themselves.
router_boot() {
	local daemon
	for daemon in $ROUTER_DAEMONS; do
		router_daemon "$1" "$daemon" || { routers_say "$1: $daemon does not start: $(tail -n 3 "$ROUTERS_DIR/$1/log")"; return 1; }
	done
	router_run "$1" vtysh -N "$(router_pathspace "$1")" -b </dev/null >>"$ROUTERS_DIR/$1/log" 2>&1 ||
		{ routers_say "$1: frr.conf was not loaded whole: $(tail -n 3 "$ROUTERS_DIR/$1/log")"; return 1; }
}
router_start() { router_boot "$@"; }

router_gone() { # PID...: waits until they are; a zombie counts as gone
	local pid
	for pid in "$@"; do
		for _ in $(seq 200); do
			[ -d "/proc/$pid" ] && ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null || break
			sleep 0.02
		done
	done
}

# router_kill_daemon NAME DAEMON...
router_kill_daemon() {
	local run pid daemon pids=()
	run=/var/run/frr/$(router_pathspace "$1")
	for daemon in "${@:2}"; do
		pid=$(cat "$run/$daemon.pid" 2>/dev/null) || continue
		# a number from an old file must not hit another process
		[ "$(readlink "/proc/$pid/exe")" = "/usr/lib/frr/$daemon" ] && kill -KILL "$pid" 2>/dev/null && pids+=("$pid")
		rm -f "$run/$daemon.pid"
	done
	router_gone "${pids[@]}"
}
router_kill() {
	local file daemons=()
	for file in "/var/run/frr/$(router_pathspace "$1")"/*.pid; do
		[ ! -e "$file" ] || daemons+=("$(basename "$file" .pid)")
	done
	router_kill_daemon "$1" "${daemons[@]}"
}

# Everything that runs in its namespaces.
router_pids() {
	local namespace
	namespace=$(stat -Lc %i "/proc/$(cat "$ROUTERS_DIR/$1/keeper" 2>/dev/null)/ns/net" 2>/dev/null) || return 0
	stat -Lc '%i %n' /proc/[0-9]*/ns/net 2>/dev/null | sed -n "s|^$namespace /proc/\([0-9]*\)/.*|\1|p"
}

# The router itself goes: daemons, namespaces, sockets, the link in /etc/frr. Its folder stays.
router_remove() {
	local space keeper pid
	space=$(router_pathspace "$1")
	router_pids "$1" >>"$ROUTERS_DIR/$1/started"
	router_kill "$1"
	# A killed daemon leaves a folder behind, named after the process that was started before it went into the background.
	for pid in $(cat "$ROUTERS_DIR/$1/started" 2>/dev/null); do rm -rf /var/tmp/frr/*d."$pid" /var/tmp/frr/zebra."$pid"; done
	keeper=$(cat "$ROUTERS_DIR/$1/keeper" 2>/dev/null) && kill -KILL "$keeper" 2>/dev/null && router_gone "$keeper"
	rm -f "$ROUTERS_DIR/$1/keeper" "$ROUTERS_DIR/$1/started"
	[ ! -L "/etc/frr/$space" ] || rm -f "/etc/frr/$space"
	rm -rf "/var/run/frr/$space"
}
routers_stop() {
	local name
	[ -z "$ROUTERS_LAN" ] || kill -KILL "$ROUTERS_LAN" 2>/dev/null
	ROUTERS_LAN=
	for name in "${ROUTERS[@]}"; do router_remove "$name"; done
	# what ospfd and ospf6d leave outside of every pathspace, unless another router may be using it
	ls -A /var/run/frr 2>/dev/null | grep -qv '^ospf6\?d-' || rm -f /var/run/frr/ospf*d-*
}
