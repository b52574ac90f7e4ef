#!/bin/sh
# Makes the secrets of this set-up at its first start: random, each once, one folder for each that may read it.
#   secrets.sh [FOLDER]    default /secrets; each folder below it is a volume of its own in compose.yaml
set -eu
root=${1:-/secrets}
umask 077
mkdir -p "$root/grafana" "$root/haproxy" "$root/postgres" "$root/shop"

draw() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# keep MODE FILE TEXT: whole or not at all; never over one that is there, for data may depend on it
keep() {
  [ -e "$root/$2" ] && return
  printf '%s\n' "$3" >"$root/$2.new"
  chmod "$1" "$root/$2.new"
  mv "$root/$2.new" "$root/$2"
  printf 'made %s\n' "$2"
}

# The containers of others run as users of their own: their files may be read by whoever has that volume.
chmod 755 "$root/grafana" "$root/haproxy" "$root/postgres"
keep 444 grafana/admin_password "$(draw)"
keep 444 postgres/password "$(draw)"
# the form of a password file of PostgreSQL's clients, who accept it only when nobody else may read it
keep 400 shop/pgpass "postgres:5432:shop:shop:$(cat "$root/postgres/password")"
keep 400 shop/user_hash_key "$(draw)"
# the same key as the balancer wants it: in base64
bytes=$(sed 's/../\\x&/g' "$root/shop/user_hash_key")
keep 444 haproxy/user_hash_key "$(env printf "$bytes" | base64 -w0)"
