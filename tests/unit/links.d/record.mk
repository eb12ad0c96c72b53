# A disk that fails as the test says, and a machine that loses its power.
disk_fails := $(patsubst %,$(BUILD)/tests/unit/%,reactor/test_record reactor/test_boot images/test_store images/test_snapshot procs/test_sandbox \
	procs/test_container procs/keeper/test_underway procs/net/test_lease procs/net/test_check)
$(disk_fails): $(BUILD)/tests/fakes/disk.o
$(disk_fails): LDFLAGS += -Wl,--wrap=read -Wl,--wrap=pread -Wl,--wrap=lstat
$(BUILD)/tests/unit/reactor/test_record_power: LDFLAGS += -Wl,--wrap=rename -Wl,--wrap=renameat2 -Wl,--wrap=unlink
