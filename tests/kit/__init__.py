"""What tests, the demo and the benchmarks share: real servers on loopback, bundles to put into them,
faults between.

Nothing here knows what BundleWatch decides. `bed` has the binaries, `room` runs them so that nothing
outlives the run, `cluster`, `registry` and `operator` are the three parts one talks to.
"""
