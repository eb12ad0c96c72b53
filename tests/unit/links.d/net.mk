# Fakes stand before the archives, so that nothing of what they replace is pulled in.
net_fakes := $(BUILD)/tests/fakes/net_child.o $(BUILD)/tests/fakes/net_world.o
$(patsubst %,$(BUILD)/tests/unit/procs/test_%,cni cni_gc cni_watch): $(BUILD)/tests/fakes/net_child.o
$(BUILD)/tests/unit/procs/test_sandbox_up: $(net_fakes)
$(BUILD)/tests/unit/procs/test_sandbox_check: $(net_fakes)
$(BUILD)/tests/unit/procs/test_sandbox_down: $(net_fakes)
$(BUILD)/tests/unit/procs/test_sandbox_real: | $(BUILD)/crisp-keeper $(BUILD)/crisp-anchor $(BUILD)/crisp-pause
