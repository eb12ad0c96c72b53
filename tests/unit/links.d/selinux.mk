# A kernel's SELinux as files in a directory.
$(BUILD)/tests/unit/procs/test_labels: $(BUILD)/tests/fakes/world.o
