# Files of the keeper are in no archive.
$(BUILD)/tests/unit/procs/test_keeper_notify: $(BUILD)/procs/keeper_notify.o
