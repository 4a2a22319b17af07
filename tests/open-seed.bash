# tests/open-seed.bash -- an OpenSSH key out of a seed as Holdfast keeps its own (base64 of 32 bytes); to be sourced.

open_seed() { # SEED FILE: makes FILE and FILE.pub
	local pub seed
	seed=$(base64 -d <"$1" | xxd -p -c 64)
	pub=$({ printf 302e020100300506032b657004220420; printf %s "$seed"; } | xxd -r -p |
		openssl pkey -inform DER -pubout -outform DER | tail -c 32 | xxd -p -c 64)
	(umask 077
	{ echo "-----BEGIN OPENSSH PRIVATE KEY-----"
	  { printf '6f70656e7373682d6b65792d763100' # its magic
	    printf '00000004%s00000004%s0000000000000001' 6e6f6e65 6e6f6e65 # cipher none, kdf none, no options, one key
	    printf '000000330000000b%s00000020%s' 7373682d65643235353139 "$pub"
	    printf '000000880000000100000001' # two equal numbers in front of the key
	    printf '0000000b%s00000020%s00000040%s%s' 7373682d65643235353139 "$pub" "$seed" "$pub"
	    printf '00000000''0102030405'; } | xxd -r -p | base64 -w 70
	  echo "-----END OPENSSH PRIVATE KEY-----"; } >"$2")
	ssh-keygen -y -f "$2" >"$2.pub"
}
