$(BUILD)/tests/unit/procs/test_seccomp_bpf: $(BUILD)/tests/fakes/child.o
$(BUILD)/tests/unit/procs/seccomp/test_compile: $(BUILD)/procs/seccomp/compile.o $(BUILD)/procs/seccomp/stub.o
