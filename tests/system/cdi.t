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

for h in runc crun; do
	rm -f "$T/hooked"
	pod=$($CRICTL runp --runtime "$h" "$(pod_json "p-$h")" 2>/dev/null)
	ctr=$($CRICTL create "$pod" "$(ctr_json "c-$h" 'exec sleep 1000' '"CDI_devices":[{"name":"vendor.com/tape=0"}],"annotations":{"cdi.k8s.io/x":"vendor.com/tape=0"}')" "$T/p-$h.pod.json") || fail "$h: create" "$ctr"
	ok "$h: start" $CRICTL start "$ctr"
	is "$h: environment" "$($CRICTL exec -s "$ctr" sh -c 'echo $TAPES $TAPE' | grep .)" 'all 0'
	is "$h: mount" "$($CRICTL exec -s "$ctr" cat /vendor/driver | grep .)" driver
	notok "$h: which is read-only" $CRICTL exec -s "$ctr" touch /vendor/x
	is "$h: device node" "$($CRICTL exec -s "$ctr" stat -c '%F %t:%T' /dev/tape0 | grep .)" 'character special file 1:7'
	ok "$h: it may be used" $CRICTL exec -s "$ctr" dd if=/dev/tape0 of=/dev/null bs=1 count=1
	ok "$h: the hook ran" test -e "$T/hooked"
	notok "$h: a device that nobody describes" $CRICTL create "$pod" "$(ctr_json "d-$h" 'exec sleep 1000' '"CDI_devices":[{"name":"vendor.com/tape=7"}]')" "$T/p-$h.pod.json"
	like "$h: is named" "$out" 'no such CDI device: vendor.com/tape=7'
	$CRICTL rmp -f "$pod" >/dev/null 2>&1
done
$CRICTL rmi -a >/dev/null 2>&1
crisp_clean
