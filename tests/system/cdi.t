# cdi.t - CDI devices, described by a file of a vendor, in real containers.

. "$(dirname "$0")/../lib/crisp.sh"

crisp_config "cdi: {spec_dirs: [$T/cdi]}"
cni_config
crisp_start || exit 1
$CRICTL pull "$REGISTRY/busybox:latest" >/dev/null 2>&1
mkdir "$T/cdi" "$T/lib"; echo driver >"$T/lib/driver"
cat >"$T/cdi/vendor.json" <<J
{"cdiVersion":"0.6.0","kind":"vendor.com/tape","containerEdits":{"env":["TAPES=all"]},
 "devices":[{"name":"0","containerEdits":{"env":["TAPE=0"],
  "deviceNodes":[{"path":"/dev/tape0","hostPath":"/dev/full","permissions":"rw"}],
  "mounts":[{"hostPath":"$T/lib","containerPath":"/vendor","options":["ro","rbind"]}],
  "hooks":[{"hookName":"createRuntime","path":"/bin/touch","args":["touch","$T/hooked"]}]}}]}
J

# As NVIDIA's tools write it.
cat >"$T/cdi/other.yaml" <<J
---
cdiVersion: 0.5.0
containerEdits:
  env:
  - DISKS=all
devices:
- name: 0 # a string, as all names
  containerEdits:
    deviceNodes:
    - path: /dev/disk0
      hostPath: /dev/zero
      fileMode: 438
      permissions: rw
    mounts:
    - containerPath: /disk
      hostPath: $T/lib
      options: [ro, rbind]
kind: other.com/disk
J

for h in runc crun; do
	rm -f "$T/hooked"
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h")" 2>/dev/null)
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$h" 'exec sleep 1000' '"CDI_devices":[{"name":"vendor.com/tape=0"},{"name":"other.com/disk=0"}],"annotations":{"cdi.k8s.io/x":"vendor.com/tape=0"}')" "$T/p-$h.pod.json") || fail "$h: create" "$ctr"
	ok "$h: start" $CRICTL start "$ctr"
	is "$h: environment" "$($CRICTL exec -s "$ctr" sh -c 'echo $TAPES $TAPE' | grep .)" 'all 0'
	is "$h: mount" "$($CRICTL exec -s "$ctr" cat /vendor/driver | grep .)" driver
	notok "$h: which is read-only" $CRICTL exec -s "$ctr" touch /vendor/x
	is "$h: device node" "$($CRICTL exec -s "$ctr" stat -c '%F %t:%T' /dev/tape0 | grep .)" 'character special file 1:7'
	ok "$h: it may be used" $CRICTL exec -s "$ctr" dd if=/dev/tape0 of=/dev/null bs=1 count=1
	is "$h: what a file in YAML adds" "$($CRICTL exec -s "$ctr" sh -c 'echo $DISKS $(cat /disk/driver) $(stat -c "%t:%T %a" /dev/disk0)' | grep .)" 'all driver 1:5 666'
	ok "$h: the hook ran" test -e "$T/hooked"
	notok "$h: a device that nobody describes" $CRICTL create "$pod" "$(ctr_json "d-$h" 'exec sleep 1000' '"CDI_devices":[{"name":"vendor.com/tape=7"}]')" "$T/p-$h.pod.json"
	like "$h: is named" "$out" 'no such CDI device: vendor.com/tape=7'
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
done

printf 'cdiVersion: 0.5.0\nkind: &a bad.com/x\ndevices: [*a]\n' >"$T/cdi/bad.yaml"
pod=$($CRICTL runp "$(pod_json p)" 2>/dev/null)
notok 'a file that cannot be read' $CRICTL create "$pod" "$(ctr_json d 'exec sleep 1000' '"CDI_devices":[{"name":"bad.com/x=1"}]')" "$T/p.pod.json"
like 'is named with its line' "$out" 'no such CDI device: bad.com/x=1; .*/bad.yaml: line 2: anchors'
$CRICTL rmp -f "$pod" >/dev/null 2>&1
$CRICTL rmi -a >/dev/null 2>&1
crisp_clean
