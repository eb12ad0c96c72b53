$(BUILD)/tests/unit/procs/test_sandbox_task: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/procs/test_cgroup: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/procs/cgroup/test_kill: $(BUILD)/tests/fakes/world.o
run.fakes := $(patsubst %,$(BUILD)/tests/fakes/%.o,world keeper log_pump runtime)
$(patsubst %,$(BUILD)/tests/unit/procs/test_%,box_watch start start_crash life stop remove reopen exec checkpoint): $(run.fakes)
$(BUILD)/tests/unit/procs/oci/test_runtime: $(BUILD)/tests/fakes/world.o $(BUILD)/tests/fakes/program.o
$(BUILD)/tests/unit/procs/test_container: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/procs/test_run_real: | $(BUILD)/crisp-keeper $(BUILD)/crisp-anchor
$(BUILD)/tests/unit/procs/test_oom: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/procs/native/test_native: $(BUILD)/tests/fakes/world.o
