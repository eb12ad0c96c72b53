# The CLI is a program of its own: its objects are in no archive.
$(BUILD)/tests/unit/handlers/test_cli_json: $(BUILD)/handlers/cli_json.o
$(BUILD)/tests/unit/handlers/test_cli_args: $(BUILD)/handlers/cli_args.o
$(BUILD)/tests/unit/handlers/test_cli_log: $(BUILD)/handlers/cli_log.o $(BUILD)/handlers/cli_log_line.o
$(BUILD)/tests/unit/handlers/test_cli_page: $(BUILD)/handlers/cli_page.o
# As fuzz.a must have what tests/fuzz/fuzz_cli_*.c call.
fuzz-objects: $(BUILD)/handlers/cli_json.o $(BUILD)/handlers/cli_log_line.o
