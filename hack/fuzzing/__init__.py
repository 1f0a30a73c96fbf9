"""The coverage-guided search behind `hack/fuzz`. Nothing else imports it; it runs in a process that the fuzzer ends."""
