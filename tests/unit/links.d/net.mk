$(BUILD)/tests/unit/procs/test_cni: $(BUILD)/tests/fakes/net_child.o
