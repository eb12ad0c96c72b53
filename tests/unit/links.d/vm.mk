# Files of the keeper are in no archive.
$(BUILD)/tests/unit/procs/keeper/test_notify: $(BUILD)/procs/keeper/notify.o
