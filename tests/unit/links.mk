# links.mk - what single unit tests link beside their layers; one file per part in links.d.
-include $(wildcard tests/unit/links.d/*.mk)
