# rotation.t - the kubelet rotates a log that has reached its size: no line is lost or doubled across the files.

. "$(dirname "$0")/node.sh"

logs() { ls -tr "$T"/kubelet/logs/default_rotates-node_*/main/; }
rotated() { [ "$(logs | wc -l)" -ge "$1" ]; }
lines() { # of all files, oldest first; also of those that the kubelet has compressed
	local d f
	d=$(echo "$T"/kubelet/logs/default_rotates-node_*/main)
	for f in $(ls "$d" | grep -v '^0.log$' | sort) 0.log; do
		case $f in *.gz) zcat "$d/$f" ;; *) cat "$d/$f" ;; esac
	done | cut -d' ' -f4-
}

rm -rf /mnt/rotates
node_start 'containerLogMaxSize: 40Ki' 'containerLogMaxFiles: 20' 'containerLogMonitorInterval: 3s'
run rotates
settled rotates
ok 'it is turned over, and over' until_ok 60 rotated 4
touch /mnt/rotates/stop
ok 'the writer has ended' until_ok 10 test -s /mnt/rotates/last
last=$(cat /mnt/rotates/last)
all_there() { [ "$(lines | tail -1)" = "line $last" ]; }
ok 'its last line is there' until_ok 20 all_there
is 'every line once, in order' "$(lines | sha256sum)" "$(seq -f 'line %.0f' "$last" | sha256sum)"
like 'the older files are compressed' "$(logs)" '\.gz$'
is 'nothing was started again' "$(pod rotates '.status.containerStatuses[0].restartCount')" 0
node_stop
