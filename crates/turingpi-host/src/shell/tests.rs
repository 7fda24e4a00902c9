// SPDX-License-Identifier: Apache-2.0
//! Command lines and what they answer.

mod limits;
mod scp;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::cluster::{Alone, Cluster, Credentials, Node};
use crate::session::{Ask, Host, Stream, Waiting};
use crate::{Hardware, Image, Machine, Nvme, Parts, Power};

/// A cluster whose certificates are words.
#[derive(Default)]
struct Words(Alone);

impl Cluster for Words {
    fn credentials(&mut self, authority: Option<(&str, &str)>) -> Result<Credentials, String> {
        let (ca, key) = authority.unwrap_or(("CA", "KEY"));
        Ok(Credentials {
            ca_certificate: ca.into(),
            ca_key: key.into(),
            client_certificate: "C".into(),
            client_key: "K".into(),
        })
    }

    fn started(&mut self, node: Node) -> Result<(), String> {
        self.0.started(node)
    }

    fn stopped(&mut self, unit: &str) {
        self.0.stopped(unit);
    }

    fn nodes(&self) -> Vec<(Node, bool)> {
        self.0.nodes()
    }
}

/// A module whose time passes as it is slept.
pub(crate) struct Bench {
    machine: Mutex<Machine>,
    output: Mutex<(Vec<u8>, Vec<u8>)>,
    input: Mutex<Vec<Vec<u8>>>,
    power: Mutex<Option<Power>>,
}

impl Host for Bench {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    fn sleep(&self, time: Duration) -> Waiting<'_, ()> {
        self.machine().now += time;
        Box::pin(std::future::ready(()))
    }

    fn pause(&self) -> Waiting<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, job: Waiting<'static, ()>) {
        job.now_or_never().unwrap();
    }

    fn power(&self, power: Power) {
        *self.power.lock().unwrap() = Some(power);
    }

    fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut output = self.output.lock().unwrap();
        match stream {
            Stream::Output => output.0.extend(bytes),
            Stream::Error => output.1.extend(bytes),
        }
    }

    fn read(&self) -> Waiting<'_, Option<Vec<u8>>> {
        let mut input = self.input.lock().unwrap();
        let next = (!input.is_empty()).then(|| input.remove(0));
        Box::pin(std::future::ready(next))
    }

    fn echo(&self, _on: bool) {}

    fn interrupted(&self) -> bool {
        false
    }
}

pub(crate) fn bench(image: &str, short: &str) -> Arc<Bench> {
    let hardware = Hardware {
        model: "Turing Machines RK1".into(),
        short: short.into(),
        slot: 1,
        cores: 8,
        memory_kib: 16 << 20,
        emmc_bytes: 32 << 30,
        nvme_bytes: 500 << 30,
    };
    let machine = Machine::new(
        Parts {
            hardware,
            image: Image::read(image.as_bytes()).unwrap(),
            emmc: None,
            nvme: Nvme::default(),
            seed: [7; 32],
            now: Duration::from_secs(1_750_000_000),
        },
        Box::<Words>::default(),
    );
    Arc::new(Bench {
        machine: Mutex::new(machine),
        output: Mutex::default(),
        input: Mutex::default(),
        power: Mutex::default(),
    })
}

fn rk1() -> Arc<Bench> {
    bench("os: Armbian 25.2.1 noble\n", "rk1")
}

fn ubuntu() -> Arc<Bench> {
    bench("os: Ubuntu 24.04\n", "rk1")
}

impl Bench {
    /// Runs a command; its exit code, output and errors.
    pub(crate) fn run(
        self: &Arc<Self>,
        user: &str,
        command: &str,
        stdin: &str,
    ) -> (i32, String, String) {
        self.ask(user, &Ask::Command(command.into()), stdin)
    }

    fn ask(self: &Arc<Self>, user: &str, ask: &Ask, stdin: &str) -> (i32, String, String) {
        *self.input.lock().unwrap() = stdin
            .split_inclusive('\n')
            .map(|l| l.as_bytes().to_vec())
            .collect();
        *self.output.lock().unwrap() = Default::default();
        let code = crate::run(self.clone(), user, ask)
            .now_or_never()
            .expect("nothing here waits");
        let (out, err) = std::mem::take(&mut *self.output.lock().unwrap());
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (code, text(out), text(err))
    }
}

/// Each on a module of its own: a command line, its exit code, its output.
#[test]
fn command_lines() {
    let check = |command: &str, code: i32, output: &str| {
        let (got, out, err) = rk1().run("root", command, "");
        assert_eq!((got, out.as_str()), (code, output), "{command}\n{err}");
    };
    // words
    check("echo a  'b  c' \"d $HOME\" \\e", 0, "a b  c d /root e\n");
    check("x='a b'; echo $x \"$x\" ${x} ${#x}", 0, "a b a b a b 3\n");
    check("set -- $(echo 1 2 3); echo $# $2 \"$@\"", 0, "3 2 1 2 3\n");
    check(
        "for f in \"$@\" a 'b c'; do echo [$f]; done",
        0,
        "[a]\n[b c]\n",
    );
    check(
        "echo ${none:-default} ${none-} ${HOME:+set} ${none:+no}",
        0,
        "default set\n",
    );
    check(
        "v=v1.31.3+k3s1; echo ${v#v} ${v%%+*} ${v%+*} ${v##*.} ${v/k3s/x} ${v:1:4}",
        0,
        "1.31.3+k3s1 v1.31.3 v1.31.3 3+k3s1 v1.31.3+x1 1.31\n",
    );
    check("echo ${x:=set} $x", 0, "set set\n");
    check("echo ${none:?is not there}; echo never", 1, "");
    check("echo $((1 + 2 * (3 - 1))) $((10 / 3))", 0, "5 3\n");
    check(
        "i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i",
        0,
        "3\n",
    );
    check(
        "echo `echo a; echo b` $(echo $(echo deep))",
        0,
        "a b deep\n",
    );
    check("echo {a,b}c ~ ~/x \"~\"", 0, "ac bc /root /root/x ~\n");
    check(
        "cd /etc/ssh; touch a.conf b.conf; echo *.conf none*; echo /etc/ssh/[a]*",
        0,
        "a.conf b.conf none*\n/etc/ssh/a.conf\n",
    );
    check("a=1 b=2 env | grep -c '^[ab]='; echo [$a]", 0, "2\n[]\n");
    check(
        "export A=1; sh -c 'echo $A $B'; B=2 sh -c 'echo $B'",
        0,
        "1\n2\n",
    );
    check("IFS=,; x=a,b; for i in $x; do echo $i; done", 0, "a\nb\n");
    check("# nothing\necho a # b\necho '#c'", 0, "a\n#c\n");
    // lists
    check(
        "true && echo yes || echo no; false && echo yes || echo no",
        0,
        "yes\nno\n",
    );
    check(
        "! false; echo $?; (exit 3); echo $?; false; echo $?",
        0,
        "0\n3\n1\n",
    );
    check("exit 300", 44, "");
    check("set -e; false; echo never", 1, "");
    check(
        "set -e; if false; then :; fi; false || true; ! true; echo here",
        0,
        "here\n",
    );
    check("set -u; echo $none; echo never", 1, "");
    check(
        "false | true; echo $?; set -o pipefail; false | true; echo $?",
        0,
        "0\n1\n",
    );
    check(
        "{ echo a; echo b; } | wc -l; (cd /tmp; pwd); pwd",
        0,
        "2\n/tmp\n/root\n",
    );
    check(
        "if [ -d /etc ]; then echo d; elif true; then echo e; else echo f; fi",
        0,
        "d\n",
    );
    check(
        "for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done; until true; do :; done",
        0,
        "1\n3\n",
    );
    check(
        "while true; do break; done; case k3s-agent in k3s) echo s;; k3s-*|x) echo a;; *) echo o;; esac",
        0,
        "a\n",
    );
    check(
        "f() { local x=$1; echo f $x; return 4; }; f 1; echo $?",
        0,
        "f 1\n4\n",
    );
    check("trap 'echo bye' EXIT; echo hi", 0, "hi\nbye\n");
    check(
        "eval 'echo $((2*3))'; command -v ls; type curl; command -v nosuch",
        1,
        "6\n/usr/bin/ls\n/usr/bin/curl\n",
    );
    check(
        "printf '%s=%d\\n' a 1 b 2; printf 'no newline'",
        0,
        "a=1\nb=2\nno newline",
    );
    check("echo -n a; echo -e 'b\\tc'", 0, "ab\tc\n");
    check("echo a; sleep 3600 & echo b; wait; echo c", 0, "a\nb\nc\n");
    check("wait & (wait; sleep 5 & wait) & wait; echo a", 0, "a\n");
    check(
        "read a b <<< 'one two three'; echo $b; printf '1\\n2\\n' | while read l; do echo l$l; done",
        0,
        "two three\nl1\nl2\n",
    );
    // redirections
    check(
        "echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f; wc -l /tmp/f",
        0,
        "a\nb\n2 /tmp/f\n",
    );
    check(
        "ls /none 2>/dev/null; ls /none 2>&1; ls /none > /tmp/o 2>&1; cat /tmp/o",
        0,
        "ls: cannot access '/none': No such file or directory\nls: cannot access '/none': No such file or directory\n",
    );
    check(
        "cat <<EOF\n$HOME \\$x $(echo c)\n\tt\nEOF\ncat <<'E'\n$HOME\nE\ncat <<-X\n\ttab\n\tX\necho end",
        0,
        "/root $x c\n\tt\n$HOME\ntab\nend\n",
    );
    check(
        "cat > /etc/a <<EOF && echo written\nx\nEOF\ncat /etc/a",
        0,
        "written\nx\n",
    );
    check(
        "echo a &> /dev/null; echo b >&2; { echo c; ls /none; } 2>/dev/null",
        2,
        "c\n",
    );
    check("echo x > /none/y; echo $?", 0, "1\n");
    // tests
    check(
        "[ -f /etc/passwd -a ! -e /none ] && [[ -d /etc && abc == a* && ! x = y ]] && [[ v1.30 =~ ^v[0-9]+\\.([0-9]+)$ ]] && echo ok",
        0,
        "ok\n",
    );
    check(
        "[ 1 -gt 2 ]; echo $?; test -n ''; echo $?; [ a = a; echo $?; [ x -gt 1 ]; echo $?",
        0,
        "1\n1\n2\n2\n",
    );
    check(
        "[[ 'a*' == 'a*' ]] && [[ abc != \"a*\" ]] && [ ! -x /etc/passwd ] && [ -x /usr/bin/sh ] && [ -L /bin ] && [ -b /dev/nvme0n1 ] && echo ok",
        0,
        "ok\n",
    );
    // what is not there
    check(
        "nosuch; echo $?; /none/x; echo $?; /etc/passwd; echo $?; /etc; echo $?",
        0,
        "127\n127\n126\n126\n",
    );
}

#[test]
fn commands() {
    let check = |command: &str, code: i32, output: &str| {
        let (got, out, err) = rk1().run("root", command, "");
        assert_eq!((got, out.as_str()), (code, output), "{command}\n{err}");
    };
    check(
        "uname -m; uname; uname -sr; hostname; whoami; id -u; nproc; arch",
        0,
        "aarch64\nLinux\nLinux 6.1.84-vendor-rk35xx\nrk1-1\nroot\n0\n8\naarch64\n",
    );
    check("id", 0, "uid=0(root) gid=0(root) groups=0(root)\n");
    check(
        "mkdir -p /a/b/c && echo 1 > /a/b/c/f && cp -r /a/b /a/d && mv /a/b /a/e && find /a | sort",
        0,
        "/a\n/a/d\n/a/d/c\n/a/d/c/f\n/a/e\n/a/e/c\n/a/e/c/f\n",
    );
    check(
        "mkdir /a /a; mkdir /x/y; rm /etc; rm -rf /etc/ssh /none; ls -d /etc/ssh; rmdir /etc",
        1,
        "",
    );
    check(
        "echo k > /k; chmod 600 /k; chmod u+x,go=r /k; stat -c '%a %U %s %F' /k; ls -l /k | cut -c1-10",
        0,
        "744 root 2 regular file\n-rwxr--r--\n",
    );
    check(
        "install -m 0600 -D /etc/hostname /opt/x/h; stat -c %a /opt/x/h; ln -s /opt/x /l; cat /l/h; readlink /l; readlink -f /l/h",
        0,
        "600\nrk1-1\n/opt/x\n/opt/x/h\n",
    );
    check("echo x | tee /t1 | tee -a /t1; cat /t1", 0, "x\nx\nx\n");
    check(
        "printf 'a=1\\nb=2\\nc=3\\n' > /f; grep -c = /f; grep -q ^b /f && grep -E 'a|c' /f; grep -v a /f | head -n 1; grep -n c /f; grep zz /f",
        1,
        "3\na=1\nc=3\nb=2\n3:c=3\n",
    );
    check(
        "printf 'a=1\\nb=2\\nc=3\\n' > /f; sed -n 2p /f; sed -n '/^a/p' /f; sed 's/=\\(.\\)/:\\1\\1/' /f | tail -1; sed -i '/b/d' /f; cat /f; sed -e '$a d=4' /f | tail -n 1",
        0,
        "b=2\na=1\nc:33\na=1\nc=3\nd=4\n",
    );
    check(
        "seq 5 | tail -n +4; seq 5 | head -2; seq 3 | sort -rn | tr '\\n' ' '; echo; echo a:b:c | cut -d: -f2-; echo AbC | tr A-Z a-z",
        0,
        "4\n5\n1\n2\n3 2 1 \nb:c\nabc\n",
    );
    check(
        "echo hi > /f; sha256sum /f > /s; sha256sum -c /s; echo no > /f; sha256sum -c /s 2>/dev/null",
        1,
        "/f: OK\n/f: FAILED\n",
    );
    check(
        "echo secret | base64; echo c2VjcmV0Cg== | base64 -d; echo a b | xargs -n1 echo x",
        0,
        "c2VjcmV0Cg==\nsecret\nx a\nx b\n",
    );
    check(
        "date -u +%Y-%m-%dT%H:%M:%SZ; date -d @0 +%s",
        0,
        "2025-06-15T15:06:40Z\n0\n",
    );
    check(
        "cloud-init status --wait; apt-get update -qq >/dev/null && apt-get install -y open-iscsi nfs-common > /dev/null && dpkg -s nfs-common | tail -1; systemctl is-active iscsid; apt-get install -y nosuch",
        100,
        "status: done\nStatus: install ok installed\nactive\n",
    );
    check(
        "swapon --show | wc -l; swapoff -a; swapon --show | wc -l; free -m | grep -c Swap",
        0,
        "2\n0\n1\n",
    );
    check(
        "modprobe br_netfilter && lsmod | grep -c br_netfilter; sysctl -w net.ipv4.ip_forward=1; sysctl -n net.ipv4.ip_forward; modprobe nosuch",
        1,
        "1\nnet.ipv4.ip_forward = 1\n1\n",
    );
    check(
        "hostnamectl set-hostname cp1; hostname; cat /etc/hostname; ip -4 addr show eth0 | grep -o 'inet [0-9.]*'",
        0,
        "cp1\ncp1\ninet 127.0.0.1\ninet 10.10.88.73\n",
    );
    check(
        "lsblk -dno NAME,SIZE,TYPE",
        0,
        "mmcblk0  32G disk\nnvme0n1 500G disk\n",
    );
    check(
        "timeout 5 sleep 100; echo $?; timeout 5 sleep 1; echo $?; timeout 3 sh -c 'while true; do sleep 1; done'; echo $?",
        0,
        "124\n0\n124\n",
    );
    check(
        "echo 'echo $0 $1' > /s.sh; sh /s.sh a; chmod +x /s.sh; /s.sh b; cd /; ./s.sh c; bash -s d < /s.sh",
        0,
        "/s.sh a\n/s.sh b\n./s.sh c\nbash d\n",
    );
    check(
        "useradd -m -s /bin/bash -G sudo pi && echo pi:secret | chpasswd && id pi && ls -d /home/pi; su - pi -c 'whoami; cd; pwd'",
        0,
        "uid=1000(pi) gid=1000(pi) groups=1000(pi),27(sudo)\n/home/pi\npi\n/home/pi\n",
    );
    check(
        "curl -sfL https://example.com; echo $?; curl -sf https://github.com/none; echo $?; curl -k https://127.0.0.1:6443 2>/dev/null; echo $?",
        0,
        "6\n22\n7\n",
    );
}

#[test]
fn disks_are_formatted_and_mounted() {
    let host = rk1();
    let check = |command: &str, code: i32, output: &str| {
        let (got, out, err) = host.run("root", command, "");
        assert_eq!((got, out.as_str()), (code, output), "{command}\n{err}");
    };
    check("blkid /dev/nvme0n1", 2, "");
    check("mount /dev/nvme0n1 /mnt 2>/dev/null; echo $?", 0, "32\n");
    check(
        "mkfs.ext4 -q -F -L data /dev/nvme0n1 && blkid -s TYPE -o value /dev/nvme0n1",
        0,
        "ext4\n",
    );
    check(
        "mkdir -p /var/lib/longhorn; echo \"UUID=$(blkid -s UUID -o value /dev/nvme0n1) /var/lib/longhorn ext4 defaults 0 2\" >> /etc/fstab; mount -a && mountpoint -q /var/lib/longhorn && echo on",
        0,
        "on\n",
    );
    check(
        "echo kept > /var/lib/longhorn/f; df -h /var/lib/longhorn | tail -1 | cut -c1-12; lsblk -no MOUNTPOINT /dev/nvme0n1",
        0,
        "/dev/nvme0n1\n/var/lib/longhorn\n",
    );
    check(
        "rm -rf /var/lib/longhorn 2>&1",
        1,
        "rm: cannot remove '/var/lib/longhorn': Device or resource busy\n",
    );
    check(
        "mkfs.ext4 -F /dev/nvme0n1 2>/dev/null; echo $?; mkfs.ext4 -F /dev/mmcblk0p1 2>/dev/null; echo $?",
        0,
        "1\n1\n",
    );
    host.machine().boot();
    check("cat /var/lib/longhorn/f", 0, "kept\n");
    check(
        "umount /var/lib/longhorn; ls /var/lib/longhorn; wipefs -a /dev/nvme0n1; lsblk -no FSTYPE /dev/nvme0n1",
        0,
        "\n",
    );
    check(
        "parted -s /dev/nvme0n1 mklabel gpt mkpart primary ext4 0% 100% && mkfs.xfs -q /dev/nvme0n1p1 && lsblk -rno NAME,FSTYPE /dev/nvme0n1",
        0,
        "nvme0n1\nnvme0n1p1 xfs\n",
    );
}

#[test]
fn users_are_who_they_are() {
    let host = ubuntu();
    let check = |user: &str, command: &str, stdin: &str, code: i32, output: &str| {
        let (got, out, err) = host.run(user, command, stdin);
        assert_eq!((got, out.as_str()), (code, output), "{command}\n{err}");
    };
    check(
        "ubuntu",
        "id -un; pwd; sudo id -un; sudo -u ubuntu id -un; sudo A=1 sh -c 'echo $A $SUDO_USER'",
        "",
        0,
        "ubuntu\n/home/ubuntu\nroot\nubuntu\n1 ubuntu\n",
    );
    check(
        "ubuntu",
        "echo x > /etc/x; cat /etc/shadow; systemctl restart ssh; reboot; mkdir /root/x; ls /root",
        "",
        2,
        "",
    );
    check(
        "ubuntu",
        "echo x | sudo tee /etc/x; sudo sh -c 'echo y >> /etc/x'; cat /etc/x; rm /etc/x",
        "",
        1,
        "x\nx\ny\n",
    );
    check(
        "ubuntu",
        "cat > f; ls -l f | cut -d' ' -f3; cat f",
        "line\n",
        0,
        "ubuntu\nline\n",
    );
    check(
        "ubuntu",
        "touch /tmp/mine; sudo touch /tmp/other; rm /tmp/mine; rm /tmp/other",
        "",
        1,
        "",
    );
    // without the file that frees it from passwords
    check("ubuntu", "sudo rm /etc/sudoers.d/90-ubuntu", "", 0, "");
    check("ubuntu", "sudo -n true", "", 1, "");
    check("ubuntu", "sudo -S id -un", "ubuntu\n", 0, "root\n");
    check("ubuntu", "sudo -S id -un", "wrong\n", 1, "");
    let machine = host.machine();
    assert!(machine.password_is("ubuntu", "ubuntu"));
    assert!(!machine.password_is("ubuntu", "1234"));
    assert!(!machine.password_is("root", ""));
    assert!(!machine.password_is("nobody", ""));
}

#[test]
fn k3s_is_installed() {
    let host = rk1();
    let check = |command: &str, code: i32, output: &str| {
        let (got, out, err) = host.run("root", command, "");
        assert_eq!((got, out.as_str()), (code, output), "{command}\n{err}");
    };
    check(
        "systemctl is-active k3s; systemctl start k3s 2>&1",
        5,
        "inactive\nFailed to start k3s.service: Unit k3s.service not found.\n",
    );
    let (code, out, err) = host.run("root", "curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.31.3+k3s1 K3S_TOKEN=s3cret INSTALL_K3S_EXEC='--disable traefik' sh -s - server --node-name cp1", "");
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("[INFO]  systemd: Starting k3s"), "{out}");
    check(
        "systemctl is-active k3s; systemctl is-enabled k3s; stat -c %a /etc/rancher/k3s/k3s.yaml /etc/systemd/system/k3s.service.env",
        0,
        "active\nenabled\n600\n600\n",
    );
    check(
        "cat /etc/systemd/system/k3s.service.env; k3s --version | head -1 | cut -d' ' -f1-3",
        0,
        "K3S_TOKEN='s3cret'\nk3s version v1.31.3+k3s1\n",
    );
    check(
        "cut -d: -f3- /var/lib/rancher/k3s/server/node-token; grep -o 'server: .*' /etc/rancher/k3s/k3s.yaml",
        0,
        "server:s3cret\nserver: https://127.0.0.1:6443\n",
    );
    check(
        "k3s kubectl get nodes --no-headers | tr -s ' ' | cut -d' ' -f1-2",
        0,
        "cp1 NotReady\n",
    );
    check(
        "until kubectl get nodes | grep -qw Ready; do sleep 5; done; kubectl get node cp1 -o json | grep -o '\"status\": \"True\"'; kubectl get pods 2>/dev/null",
        1,
        "\"status\": \"True\"\n",
    );
    host.machine().boot();
    check(
        "systemctl is-active k3s; kubectl get nodes -o name",
        0,
        "active\nnode/cp1\n",
    );
    // another token is not the one that the data is encrypted with
    check(
        "sed -i s/s3cret/other/ /etc/systemd/system/k3s.service.env; systemctl restart k3s 2>/dev/null; systemctl is-active k3s; journalctl -u k3s | grep -c 'different token'",
        0,
        "failed\n1\n",
    );
    check(
        "/usr/local/bin/k3s-uninstall.sh; ls /usr/local/bin; ls -d /etc/rancher/k3s 2>&1; systemctl is-active k3s",
        3,
        "ls: cannot access '/etc/rancher/k3s': No such file or directory\ninactive\n",
    );
}

#[test]
fn k3s_by_hand_and_what_is_wrong_with_it() {
    let unit = "[Service]\nType=notify\nEnvironmentFile=-/etc/systemd/system/k3s.service.env\nExecStart=/usr/local/bin/k3s server\n[Install]\nWantedBy=multi-user.target\n";
    let native = "curl -sfLo /usr/local/bin/k3s https://github.com/k3s-io/k3s/releases/download/v1.30.2%2Bk3s1/k3s-arm64 && chmod 755 /usr/local/bin/k3s && mkdir -p /etc/rancher/k3s";
    let check = |config: &str, prepare: &str, code: i32, log: &str| {
        let host = rk1();
        assert_eq!(host.run("root", native, "").0, 0);
        host.run("root", "cat > /etc/systemd/system/k3s.service", unit);
        host.run("root", "cat > /etc/rancher/k3s/config.yaml", config);
        host.run("root", prepare, "");
        let (got, out, err) = host.run(
            "root",
            "systemctl daemon-reload && systemctl enable --now k3s",
            "",
        );
        assert_eq!(got, code, "{config} {prepare}: {out}{err}");
        let (_, journal, _) = host.run("root", "journalctl -u k3s --no-pager", "");
        assert!(journal.contains(log), "{config} {prepare}: {journal}");
    };
    check(
        "token: t\nwrite-kubeconfig-mode: \"0644\"\n",
        "",
        0,
        "Started k3s.service",
    );
    check("token t\n", "", 1, "yaml: line 1");
    check(
        "server: https://10.10.88.73:6443\n",
        "",
        1,
        "--token is required",
    );
    check(
        "server: https://10.10.88.74:6443\ntoken: t\n",
        "",
        1,
        "connection refused",
    );
    check("token: t\n", "chmod -x /usr/local/bin/k3s", 1, "203/EXEC");
    check("token: t\n", "echo > /usr/local/bin/k3s", 1, "no version");
    let cm4 = bench("os: T\n", "cm4");
    let install = "curl -sfL https://get.k3s.io | sh -";
    assert_eq!(cm4.run("root", install, "").0, 1);
    cm4.run(
        "root",
        "sed -i '1s/$/ cgroup_memory=1 cgroup_enable=memory/' /boot/cmdline.txt",
        "",
    );
    assert_eq!(cm4.run("root", install, "").0, 0);
    assert_eq!(
        rk1()
            .run(
                "root",
                "curl -sfL https://get.k3s.io | INSTALL_K3S_VERSION=v1.31 sh -",
                ""
            )
            .0,
        1
    );
    assert_eq!(
        rk1()
            .run(
                "root",
                "curl -sfL https://get.k3s.io | K3S_URL=https://10.10.88.73:6443 sh -",
                ""
            )
            .0,
        1
    );
    assert_eq!(ubuntu().run("ubuntu", install, "").0, 1);
    // the real script, brought along
    let script = "#!/bin/sh\n# https://get.k3s.io INSTALL_K3S_EXEC K3S_URL\nsetup_env() { case \"$1\" in (-*|\"\") : ;; esac; }\n";
    let host = rk1();
    let (code, out, err) = host.run("root", "cat > /tmp/i.sh; chmod +x /tmp/i.sh; K3S_TOKEN=t /tmp/i.sh server >/dev/null && systemctl is-active k3s", script);
    assert_eq!((code, out.as_str()), (0, "active\n"), "{err}");
}

#[test]
fn a_terminal_prompts_and_a_pipe_does_not() {
    let host = rk1();
    let ask = |terminal, input: &str| host.ask("root", &Ask::Shell { terminal }, input);
    let (code, out, err) = ask(
        true,
        "cd /tmp\nif true\nthen echo yes; fi\nnosuch\n'a\nb'\nexit 3\n",
    );
    let prompts = "Welcome to Armbian 25.2.1 noble\n\nroot@rk1-1:~# root@rk1-1:/tmp# > yes\nroot@rk1-1:/tmp# root@rk1-1:/tmp# > root@rk1-1:/tmp# ";
    assert_eq!((code, out.as_str()), (3, prompts));
    assert_eq!(
        err,
        "-bash: nosuch: command not found\n-bash: a\nb: command not found\n"
    );
    let (code, out, _) = ask(false, "x=1\necho $x\nread y\ntyped\necho $y\nfalse\n");
    assert_eq!((code, out.as_str()), (1, "1\ntyped\n"));
    assert_eq!(host.ask("nobody", &Ask::Shell { terminal: false }, "").0, 1);
    // a script that is sent, and a password at sudo's prompt
    assert_eq!(
        host.run("root", "bash -s -- a b", "set -e\necho $2\n").1,
        "b\n"
    );
}

#[test]
fn reboots_are_asked_for() {
    let host = rk1();
    let check = |command: &str, power: Option<Power>| {
        assert_eq!(host.run("root", command, "").0, 0, "{command}");
        assert_eq!(host.power.lock().unwrap().take(), power, "{command}");
    };
    check("reboot", Some(Power::Reboot));
    check("shutdown -h now", Some(Power::Off));
    check("systemctl reboot", Some(Power::Reboot));
    check(
        "nohup sh -c 'sleep 2; reboot' > /dev/null 2>&1 &",
        Some(Power::Reboot),
    );
    check("true", None);
}

#[test]
fn what_is_on_the_emmc_lasts_and_what_is_in_memory_does_not() {
    let host = rk1();
    host.run(
        "root",
        "echo a > /root/a; echo b > /tmp/b; hostname other; modprobe overlay",
        "",
    );
    host.machine().boot();
    let (_, out, _) = host.run("root", "cat /root/a; ls /tmp; hostname; lsmod | wc -l", "");
    assert_eq!(out, "a\nrk1-1\n1\n");
}
