# An error of read(2) as the test says.
$(BUILD)/tests/unit/reactor/test_record: LDFLAGS += -Wl,--wrap=read
$(BUILD)/tests/unit/reactor/test_record_power: LDFLAGS += -Wl,--wrap=rename -Wl,--wrap=renameat2 -Wl,--wrap=unlink
