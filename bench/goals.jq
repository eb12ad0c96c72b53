# goals.jq - the words of the goals that bench/native, bench/network and bench/images print: `include "goals";` of jq(1). The input of of() is
# the array of all lines of a .jsonl file. A goal is a row: name, figure, limit, met or not, number of samples.
def rank(q): sort | if length == 0 then null else .[([(length * q | ceil), 1] | max) - 1] end;
# A quantile of too few samples is none: three must lie beyond it, as samples_enough() of crisp-bench has it.
def tail(q): if length * (1 - q) > 2.999 then rank(q) else null end;
def of(endpoint; mode; what): [.[] | select(.kind == "sample" and .endpoint == endpoint and .mode == mode) | what | values];
def machine: [.[] | select(.kind == "conditions")] | last // {} | ["machine: \(.cpus) CPUs, \(.cpu); kernel \(.kernel); cgroups of \(.cgroup)"];
def words: if . == null then "none" else (. * 1000 | round / 1000 | tostring) end;
def goal(name; value; limit; unit; n): [name, "\(value | words) \(unit)", "\(limit) \(unit)", (if value == null then "not measured" elif value <= limit then "met" else "MISSED" end), "\(n)"];
def ratio(a; b): if a == null or b == null or b == 0 then null else a / b end;
