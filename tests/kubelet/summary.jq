# summary.jq - what /stats/summary has of each pod: the names of the figures, not the figures.
def names: [paths(scalars) | map(tostring) | join(".")] | map(select(test("time$"; "i") | not)) | sort;
[.pods[] | {name: .podRef.name, pod: (del(.podRef, .containers, .volume, .network.interfaces) | names),
	interfaces: [.network.interfaces[]?.name] | sort,
	volumes: [.volume[]?.name | select(test("^kube-api-access") | not)] | sort,
	containers: [.containers[] | {name, has: names}] | sort_by(.name)}] | sort_by(.name)
