# An error of read(2) as the test says.
$(BUILD)/tests/unit/reactor/test_record: LDFLAGS += -Wl,--wrap=read
