"""Runs a command on a terminal of 80 columns, as a person does.

    run_on_terminal.py [--ctrl-c-after TEXT] COMMAND...

Types Ctrl-C once TEXT was printed. Prints {"exit", "output"}, the output as the terminal got it.
"""

import argparse
import fcntl
import json
import os
import pty
import struct
import termios

parser = argparse.ArgumentParser()
parser.add_argument("--ctrl-c-after")
parser.add_argument("command", nargs=argparse.REMAINDER)
args = parser.parse_args()

parent, child = pty.openpty()
fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
pid = os.fork()
if pid == 0:
    os.close(parent)
    os.setsid()
    fcntl.ioctl(child, termios.TIOCSCTTY, 0)
    for stream in (0, 1, 2):
        os.dup2(child, stream)
    os.execvp(args.command[0], args.command)
os.close(child)

output = b""
typed = args.ctrl_c_after is None
while True:
    try:
        got = os.read(parent, 65536)
    except OSError:
        break  # Linux: the other end is closed
    if not got:
        break
    output += got
    if not typed and args.ctrl_c_after.encode() in output:
        os.write(parent, b"\x03")
        typed = True
_, status = os.waitpid(pid, 0)
print(json.dumps({"exit": os.waitstatus_to_exitcode(status), "output": output.decode()}))
