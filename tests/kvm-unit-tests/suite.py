"""A kvm-unit-tests tree and the programs that can run its tests: Kite and QEMU, each with its accelerators."""
import os
import re
import shlex
import subprocess
import tempfile
import time

PASS, FAIL, SKIP, TIMEOUT, DIED = 'PASS', 'FAIL', 'SKIP', 'TIMEOUT', 'DIED'

# The suite's processors, as Kite's. What Kite's default model offers exceeds qemu64, whose name stands for "nothing special".
MODELS = {'qemu64': '', 'max': 'max', 'host': 'max', 'Opteron_G1': '', 'IvyBridge': 'max', 'Skylake-Server': 'max'}
# Words of -cpu that say how QEMU finds its features, not which they are; and the vendor, which is AMD here.
NOT_FEATURES = {'host-phys-bits', 'host-phys-bits=off', 'migratable=no', 'enforce', 'vendor=AuthenticAMD', 'vendor=GenuineIntel'}
# Words of -machine and -M that take away or add nothing that a test could miss here.
HARMLESS_MACHINES = {'pit=off'}
# What QEMU says when KVM cannot execute an instruction; it then stops the guest and stays.
QEMU_DIED = 'KVM internal error'


class NotHere(Exception):
    """What the test asks for is not in the program; the text says what."""


class Outcome:
    """How one test went in one program."""

    def __init__(self, result, reason='', console=''):
        self.result, self.reason = result, reason
        self.fails = len(re.findall(r'^\s*FAIL\b', console, re.MULTILINE))
        self.seconds = 0.0


def read_config(path):
    """The sections of unittests.cfg in their order: {name: {key: value}}."""
    tests, current = {}, None
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            line = line.strip()
            if not line or line.startswith('#'):
                continue
            if line.startswith('['):
                current = tests.setdefault(line[1:line.index(']')], {})
            elif current is not None and '=' in line:
                key, value = line.split('=', 1)
                current[key.strip()] = value.strip()
    return tests


def architecture(tree):
    """What the tree was configured for, or None."""
    try:
        with open(os.path.join(tree, 'config.mak'), encoding='utf-8') as lines:
            for line in lines:
                if line.startswith('ARCH='):
                    return line.split('=', 1)[1].strip()
    except OSError:
        pass
    return None


def guest_arguments(text):
    """test_args, with the back quotes that the suite's own runner gives to a shell: only `date +%s` is known."""
    text = text.replace('`date +%s`', str(int(time.time())))
    if '`' in text or '$(' in text:
        raise NotHere(f'arguments that need a shell: {text}')
    return ' '.join(shlex.split(text)) if text else ''


def kite_cpu(words, models):
    """-cpu of QEMU as --cpu of Kite; '' is the default model."""
    model, *features = words.split(',')
    if model not in MODELS:
        raise NotHere(f'-cpu {model}')
    chosen = []
    for feature in features:
        if feature in NOT_FEATURES:
            continue
        if not feature.startswith(('+', '-')):
            raise NotHere(f'-cpu {words}: {feature}')
        chosen.append(feature)
    name = MODELS[model]
    if name and name not in models:
        name = models[-1]
    if not name and not chosen:
        return ''
    return ','.join([name or models[0]] + chosen)


def kite_options(test, models):
    """qemu_params as options of `kite run`."""
    options, cpu = [], ''
    words = iter(shlex.split(test.get('qemu_params', '')))
    for word in words:
        if word == '-enable-kvm':
            continue  # the accelerator is the caller's choice
        value = next(words, '')
        if word == '-cpu':
            cpu = kite_cpu(value, models)
        elif word == '-m' or word in ('-machine', '-M') and value in HARMLESS_MACHINES:
            continue
        else:
            raise NotHere(f'{word} {value}')
    options += ['--memory', f'{mebibytes(test)}M']
    if cpu:
        options += ['--cpu', cpu]
    if test.get('smp', '1') != '1':
        options += ['--cpus', test['smp']]
    return options


def mebibytes(test):
    """The memory that -m asks for."""
    words = shlex.split(test.get('qemu_params', ''))
    text = words[words.index('-m') + 1].upper() if '-m' in words else '512'
    return int(text.rstrip('MG')) * (1024 if text.endswith('G') else 1)


def environment_file(test, folder):
    """The suite reads its facts from fw_cfg or from an initrd of NAME=value lines; the latter needs no such device."""
    path = os.path.join(folder, 'environment')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'NR_CPUS={test.get("smp", "1")}\nMEMSIZE={mebibytes(test)}\nTEST_DEVICE=1\n')
    return path


def reason_to_skip(test, arch, accel):
    """Why the suite would not run this test with that accelerator, or ''."""
    if test.get('arch', arch) != arch:
        return f'for {test["arch"]} only'
    wanted = test.get('accel', '')
    if wanted and wanted != accel:
        return f'for {wanted} only'
    for check in shlex.split(test.get('check', '')) if accel == 'kvm' else []:
        path, value = check.split('=', 1)
        try:
            with open(path, encoding='utf-8') as file:
                if file.read().strip() != value:
                    return f'the host\'s {path} is not {value}'
        except OSError:
            return f'the host has no {path}'
    return ''


def first_complaints(console, error):
    """Why a test failed, in a line: its FAIL lines, the exception it did not expect, or the program's own words."""
    fails = [line.strip() for line in console.splitlines() if re.match(r'\s*FAIL\b', line)]
    if fails:
        return f'{len(fails)} of its checks: ' + '; '.join(fails[:3])
    for line in console.splitlines():
        if 'nhandled' in line or 'assert failed' in line or 'ABORT' in line:
            return line.strip()
    return error or (console.strip().splitlines() or ['it said nothing'])[-1]


def summary_of(console):
    lines = [line for line in console.splitlines() if line.startswith('SUMMARY')]
    return lines[-1][len('SUMMARY: '):] if lines else ''


def judge(status, console, error):
    """The exit port gives (value << 1) | 1, and the suite's values are 0, 1 and 38 (77 >> 1) for "skipped"."""
    if status == 1:
        return Outcome(PASS, summary_of(console), console)
    if status == 77:
        lines = [line.strip() for line in console.splitlines() if line.strip() and not line.startswith('SUMMARY')]
        return Outcome(SKIP, 'the test itself: ' + (lines or ['without a word'])[-1], console)
    return Outcome(FAIL, first_complaints(console, error), console)


def text_of(path):
    """Read through a file of our own: the position of one that was handed on is the child's as well."""
    with open(path, 'rb') as file:
        return file.read().decode(errors='replace')


def run_until(words, limit, fatal, folder):
    """(status, stdout, stderr); the status is None when the time ran out or stderr said `fatal`."""
    out_name, err_name = os.path.join(folder, 'out'), os.path.join(folder, 'err')
    with open(out_name, 'wb') as out, open(err_name, 'wb') as err:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        end = time.monotonic() + limit
        status = None
        while time.monotonic() < end:
            try:
                status = process.wait(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if fatal and fatal in text_of(err_name):
                    break
        if status is None:
            process.kill()
            process.wait()
    return status, text_of(out_name).replace('\r', ''), text_of(err_name).strip()


class Kite:
    """`kite run` with an accelerator."""

    def __init__(self, program, accel, models, properties, more):
        self.program, self.accel, self.models, self.more = program, accel, models, more
        self.choice = ','.join(filter(None, [accel, properties]))

    def command(self, test, kernel, folder, limit):
        append = ' '.join([test['file'], guest_arguments(test.get('test_args', ''))]).strip()
        return [self.program, 'run', '--accel', self.choice, '--timeout', f'{limit:g}', '--no-reboot',
                '--device', 'isa-debug-exit,iobase=0xf4,iosize=4', '--device', 'pc-testdev',
                '--initrd', environment_file(test, folder), '--append', append,
                *kite_options(test, self.models), *self.more, kernel]

    def run(self, words, limit, folder):
        status, console, errors = run_until(words, limit + 30, '', folder)
        error = errors.splitlines()[-1] if errors else ''
        if status is None:
            return Outcome(FAIL, 'Kite did not end at its own --timeout'), console + errors
        if status == 102:
            return Outcome(TIMEOUT, first_complaints(console, ''), console), console + errors
        if status in (64, 69):
            return Outcome(SKIP, error), console + errors
        return judge(status, console, error), console + errors


class Qemu:
    """QEMU with an accelerator, its processors as the suite names them."""

    def __init__(self, program, accel, properties, features):
        self.program, self.accel, self.features = program, accel, features
        self.choice = ','.join(filter(None, [accel, properties]))

    def command(self, test, kernel, folder, _):
        more = [word for word in shlex.split(test.get('qemu_params', '')) if word != '-enable-kvm']
        if '-cpu' in more and self.features:
            more[more.index('-cpu') + 1] += ',' + self.features
        if '-m' not in more:
            more += ['-m', '512']
        return [self.program, '-accel', self.choice, '-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio',
                '-device', 'pc-testdev', '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4', '-kernel', kernel,
                '-initrd', environment_file(test, folder), '-smp', test.get('smp', '1'),
                '-append', guest_arguments(test.get('test_args', '')), *more]

    def run(self, words, limit, folder):
        status, console, errors = run_until(words, limit, QEMU_DIED, folder)
        if QEMU_DIED in errors:
            code = re.search(r'^Code=(.*)', errors, re.MULTILINE)
            at = re.search(r'<(.*)', code.group(1)) if code else None
            return Outcome(DIED, 'KVM internal error' + (f' at <{at.group(1)}' if at else ''), console), console + errors
        if status is None:
            return Outcome(TIMEOUT, first_complaints(console, ''), console), console + errors
        error = errors.splitlines()[-1] if errors else ''
        if status == 1 and not console.strip():  # also QEMU's own status for options it does not take
            return Outcome(SKIP, error), console + errors
        return judge(status, console, error), console + errors


def run_test(program, test, tree, arch, patience, at_most):
    """(Outcome, the log) of one test in one program."""
    reason = reason_to_skip(test, arch, program.accel)
    if reason:
        return Outcome(SKIP, reason), ''
    kernel = os.path.join(tree, 'x86', test['file'])
    if not os.path.exists(kernel):
        return Outcome(SKIP, f'{test["file"]} is not built'), ''
    limit = min(float(test.get('timeout', '90')) * patience, at_most)
    with tempfile.TemporaryDirectory() as folder:
        try:
            words = program.command(test, kernel, folder, limit)
        except NotHere as missing:
            return Outcome(SKIP, f'Kite has not: {missing}'), ''
        start = time.monotonic()
        outcome, log = program.run(words, limit, folder)
        outcome.seconds = time.monotonic() - start
        return outcome, f'{shlex.join(words)}\n{log}\n'
