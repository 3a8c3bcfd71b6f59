#!/bin/sh
# A player in a shell that shows nothing: it "plays" a film of so many seconds and tells jwpingd.
#
#     sh player.sh /run/jwpingd/player.sock 10
#
# It needs nc of netcat-openbsd.  When the daemon goes away the loop connects again, and the play goes on
# under its key; a tick that was lost does not matter, for the next one counts for both.

socket=${1:-/run/jwpingd/player.sock}
duration=${2:-10}
key=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
read -r start _ </proc/uptime

# say EVENT [VALUES]: one line, with its moment: seconds on the clock that goes on in standby.
say() {
    read -r now _ </proc/uptime
    printf '{"event":"%s"%s,"at":%s}\n' "$1" "$2" "$now"
}

play() {
    say hello ',"app":{"id":"com.example.tv","version":"2.4.1"}'
    say playlistItem ",\"mediaid\":\"SsSsSsS1\",\"title\":\"A film from a shell\",\"play\":\"$key\""
    while read -r now _ </proc/uptime && position=$((${now%.*} - ${start%.*})) && [ $position -lt "$duration" ]; do
        say time ",\"position\":$position,\"duration\":$duration"
        sleep 1
    done
    say time ",\"position\":$duration,\"duration\":$duration"
    say complete ',"id":"last"'
}

# Done when the daemon has the last line on flash, and all before it.
until play | nc -UN "$socket" | grep -q '{"ack":"last"}'; do
    sleep 0.5
done
