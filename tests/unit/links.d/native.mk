# The native network: the helper's own files, which no archive has.
net.objs := $(filter-out %/main.o,$(call objs,$(call files,procs/net)))
$(BUILD)/tests/unit/procs/net/test_job $(BUILD)/tests/unit/procs/net/test_check \
	$(BUILD)/tests/unit/procs/net/test_dense: $(net.objs)
$(BUILD)/tests/unit/procs/net/test_nft $(BUILD)/tests/unit/procs/net/test_lease \
	$(BUILD)/tests/unit/procs/net/test_foreign: $(net.objs)
