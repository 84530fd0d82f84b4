"""Handlers that do as they are told to their process, and say what they find."""

from __future__ import annotations

RUDE = {
    "chdir": "os.chdir('/')",
    "chdir to what is deleted then": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    "umask": "os.umask(0)",
    "environment": "os.environ.update(PATH='', MINE='1'); del os.environ['HOME']",
    "environment cleared": "os.environ.clear()",
    "environment replaced": "os.environ = {}",
    "time zone": "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()",
    "locale": "locale.setlocale(locale.LC_ALL, 'C')",
    "signals": "[signal.signal(n, signal.SIG_IGN) for n in CATCHABLE]",
    "signals by default": "[signal.signal(n, signal.SIG_DFL) for n in CATCHABLE]",
    "signal mask": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
    "wakeup": "signal.set_wakeup_fd(-1)",
    "alarm": "signal.alarm(1000)",
    "timer": "signal.setitimer(signal.ITIMER_PROF, 1000, 1000)",
    "gc": "gc.disable()",
    "recursion": "sys.setrecursionlimit(100)",
    "trace": "sys.settrace(lambda *_: None); sys.setprofile(lambda *_: None)",
    "socket": "import socket; socket.setdefaulttimeout(0.001)",
    "hooks": "sys.excepthook = sys.unraisablehook = threading.excepthook = None",
    "warnings": "warnings.simplefilter('error')",
    "no warnings": "warnings.filters = []",
    "limit": "resource.setrlimit(resource.RLIMIT_NOFILE, (10, FILES[1]))",
    "effective user": "os.seteuid(65534) if not os.geteuid() else None",
    "stdout replaced": "import io; sys.stdout = sys.stderr = io.StringIO()",
    "stdout removed": "del sys.stdout, sys.stderr",
    "stdout closed": "sys.stdout.close(); sys.stdin.close()",
    "stderr closed": "sys.stderr.close()",
    "descriptors closed": "os.closerange(0, 3)",
    "descriptors of another": "os.close(1); assert os.open('/dev/null', os.O_RDWR) == 1",
    "context": "variable.set('rude'); structlog.contextvars.bind_contextvars(who='rude')",
    "decimal": "decimal.getcontext().prec = 3",
}

HANDLERS = f"""
import contextvars, ctypes, decimal, gc, json, locale, resource, signal, sys, threading, time, warnings
import structlog

CATCHABLE = signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP, signal.SIGUSR1}}
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
variable = contextvars.ContextVar("variable", default="app")
variable.set("app's")
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
decimal.getcontext().prec = 50
RUDE = {RUDE!r}


def look():
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    mask = os.umask(0)
    os.umask(mask)
    return {{
        "cwd": os.getcwd(), "umask": mask, "environment": dict(os.environ), "zone": time.localtime().tm_gmtoff,
        "of C": str(getenv(b"HOME")),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "wakeup": wakeup,
        "timers": [signal.getitimer(n) for n in (0, 1, 2)],
        "gc": gc.isenabled(), "recursion": sys.getrecursionlimit(), "timeout": socket_timeout(),
        "trace": str((sys.gettrace(), sys.getprofile())),
        "hooks": str((sys.excepthook, sys.unraisablehook, threading.excepthook)),
        "warnings": str(warnings.filters), "limit": resource.getrlimit(resource.RLIMIT_NOFILE),
        "user": os.geteuid(), "closed": [s.closed for s in (sys.stdin, sys.stdout, sys.stderr)],
        "streams": [type(s).__name__ for s in (sys.stdin, sys.stdout, sys.stderr)],
        "descriptors": [os.fstat(n).st_ino for n in (0, 1, 2)],
        "variable": variable.get(), "bound": structlog.contextvars.get_contextvars(),
        "decimal": decimal.getcontext().prec, "death signal": death_signal(),
    }}


def death_signal():
    found = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(found))
    return found.value


def socket_timeout():
    import socket
    return socket.getdefaulttimeout()


def act(message):
    if message.body:
        exec(RUDE[message.body.decode()], globals())
    else:
        print("seen", message.key)
        (here / f"seen-{{message.key}}").write_text(json.dumps(look()))


@app.task("plain")
def plain(message, ctx):
    act(message)


@app.task("coroutine-alone", concurrency=1)
async def coroutine_alone(message, ctx):
    act(message)


@app.task("rude", max_attempts=2)
def rude(message, ctx):
    (here / f"pid-{{message.key}}").write_text(str(os.getpid()))
    exec(message.body.decode(), {{**globals(), 'ctx': ctx}})
"""
