$(BUILD)/tests/unit/procs/test_seccomp_bpf: $(BUILD)/tests/fakes/child.o
$(BUILD)/tests/unit/procs/test_seccomp_bpf_compile: $(BUILD)/procs/seccomp_bpf_compile.o
