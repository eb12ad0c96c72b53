# volumes.t - emptyDir on disk and in memory, hostPath, read-only, subPath, downwardAPI.

. "$(dirname "$0")/node.sh"

mkdir -p /mnt/volumes
echo from the node >/mnt/volumes/file
node_start
run volumes
settled volumes
is 'what it saw' "$(log volumes main)" 'from the init container
from the node
from the node
story="volumes"
tmpfs
no room in memory
the file is read-only'
is 'what it left on the node' "$(cat /mnt/volumes/answer)" 'from volumes-node'
node_stop
