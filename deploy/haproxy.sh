#!/bin/sh
# Runs HAProxy with its log in a file that Bongsu reads, and keeps that file from filling the disk.
set -eu
log=${EDGE_LOG:-/var/lib/haproxy/edge.jsonl}
most=${EDGE_LOG_MOST:-536870912} kept=${EDGE_LOG_KEPT:-268435456} every=${EDGE_LOG_EVERY:-60}

# Only `cat` writes the file, and it appends (HAProxy itself would go on where it was): so the file can be emptied under
# it. The newest lines go back in; each bears its own time.
trim() {
  while sleep "$every"; do
    size=$(wc -c <"$log")
    [ "$size" -gt "$most" ] || continue
    tail -c "$kept" "$log" | sed 1d >"$log.kept"
    : >"$log"
    cat "$log.kept" >>"$log"
    rm -f "$log.kept"
  done
}

USER_HASH_KEY=$(cat "${USER_HASH_KEY_FILE:-/secrets/haproxy/user_hash_key}")
export USER_HASH_KEY
rm -f "$log.pipe"
mkfifo "$log.pipe"
cat <"$log.pipe" >>"$log" &
trim &
exec haproxy -db -f "${HAPROXY_CONFIG:-/etc/deploy/haproxy.cfg}" >"$log.pipe"
