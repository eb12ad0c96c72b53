# same.jq - a pod as /pods has it, without what no two nodes have in common: times, uids, ids and addresses.

def same_text($uid):
  gsub($uid; "UID") | gsub("\\b[0-9a-f]{64}\\b"; "ID") | gsub("\\b10\\.200\\.[0-9]+\\.[0-9]+"; "ADDRESS");

# PATH's words are each runtime's own, for REASON.
def own_words(path; reason): path |= if . == null then null else "(" + reason + ")" end;

.metadata.uid as $uid
| {name: .metadata.name, status}
| walk(if type == "object" then with_entries(
      if .value == null then .
      elif .key | test("^(startedAt|finishedAt|startTime|last[A-Za-z]*Time)$") then .value = "TIME"
      elif .key == "containerID" then .value |= sub("^(crisp|containerd)://[0-9a-f]{64}$"; "RUNTIME://ID")
      elif .key | test("^(message|podIP|ip)$") then .value |= same_text($uid)
      else . end) else . end)
| if .name == "absent-node" then
    own_words(.status.containerStatuses[].lastState.terminated?.message?; "what the runtime says of a program that is not there")
    | own_words(.status.containerStatuses[].state.waiting?.message?; "what the runtime says of an image that is not there")
  else . end
