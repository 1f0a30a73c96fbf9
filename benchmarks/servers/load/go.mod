module modelwright.dev/benchmarks/load

go 1.26
