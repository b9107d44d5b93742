"""Runs the harness of another directory with Stepwell among its peers; changes no file there.

harness.py DIRECTORY PROGRAM [what bench.py takes]; PROGRAM is the runner, called with `peer`.
harness.py DIRECTORY PROGRAM names: prints the peers' names, a line each.
"""
import os
import runpy
import sys

sys.dont_write_bytecode = True
directory, program = os.path.abspath(sys.argv[1]), sys.argv[2]
sys.path[0] = directory
import peers  # the harness's list, which its bench.py then finds already loaded

peers.PEERS.insert(0, dict(name="stepwell", cmd=[program, "peer"], pending="select count(*) from stepwell.job"))
if sys.argv[3:] == ["names"]:
    print(*(peer["name"] for peer in peers.PEERS), sep="\n")
    sys.exit()
script = os.path.join(directory, "bench.py")
sys.argv = [script, *sys.argv[3:]]
runpy.run_path(script, run_name="__main__")
