#!/bin/bash
# Boots this machine's systemd as PID 1 of fresh namespaces, on a throw-away overlay over this machine's own
# root, runs one command in it, and shuts down.  Nothing of it reaches the machine: no file, no network, no
# clock.  Needs root, overlayfs and cgroup2.
#
#   boot.sh OUT SECONDS SOURCE... -- COMMAND...     exit status: the command's, 124 = out of time
#
# Every SOURCE is a directory, to be found read-only under /ci/ in there; OUT is /out, and gets output.log,
# console.log and journal/ (journalctl -D).
set -eu
SELF=$(realpath "$0")

if [ "${1:-}" != --guard ] && [ "${1:-}" != --init ]; then
    [ "$(id -u)" = 0 ] || { echo "must be root" >&2; exit 2; }
    exec unshare --mount --propagation private bash "$SELF" --guard "$@"
fi

# --- outside: a cgroup of its own, a limit of time, and nothing left behind -------------------------------
if [ "$1" = --guard ]; then
    shift
    OUT=$(realpath -m "$1") LIMIT_S=$2; shift 2
    SOURCES=()
    while [ "$1" != -- ]; do SOURCES+=("$(realpath "$1")"); shift; done
    shift
    WORK=$(mktemp -d /tmp/boot-systemd.XXXXXX) CGROUPS=()
    mkdir -p "$OUT/journal" "$WORK/root" "$WORK/cgroup/v2"
    : >"$OUT/output.log"; : >"$OUT/console.log"
    printf '#!/bin/bash\ncd /\n%s\n' "$(printf '%q ' "$@")" >"$WORK/command"

    clean_up() {
        set +e
        for group in "${CGROUPS[@]}"; do
            [ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
        done
        for group in "${CGROUPS[@]}"; do
            for _ in 1 2 3 4 5 6 7 8 9 10; do
                find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
                sleep .1
            done
        done
        umount "$WORK"/cgroup/* 2>/dev/null
        rm -rf --one-file-system "$WORK"
    }
    trap clean_up EXIT
    trap 'exit 143' TERM INT HUP

    # Our place in a hierarchy, and a new cgroup below it.
    new_cgroup() {
        local ours
        ours=$(awk -F: -v c="$2" '$2 == c || index("," $2 ",", "," c ",") {print $3; exit}' /proc/self/cgroup)
        mkdir -p "$1${ours%/}/$(basename "$WORK")"
        CGROUPS+=("$1${ours%/}/$(basename "$WORK")")
    }
    mount -t cgroup2 cgroup2 "$WORK/cgroup/v2"
    new_cgroup "$WORK/cgroup/v2" ""
    for controller in memory pids; do
        echo "+$controller" >"$(dirname "${CGROUPS[0]}")/cgroup.subtree_control" 2>/dev/null || :
    done
    # Where the host has its controllers in hierarchies of version 1, TasksMax= works there.
    V1=""
    for controller in pids name=systemd; do
        directory=$WORK/cgroup/${controller#name=}
        mkdir "$directory"
        options=$controller; [ "$controller" = pids ] || options=none,$controller
        if mount -t cgroup -o "$options" cgroup "$directory" 2>/dev/null; then
            new_cgroup "$directory" "$controller"
            [ "$controller" != pids ] || V1=pids
        fi
    done

    (
        for group in "${CGROUPS[@]}"; do echo $BASHPID >"$group/cgroup.procs"; done
        exec setpriv --pdeathsig KILL \
            unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child \
            bash "$SELF" --init "$OUT" "$WORK" "$V1" "${SOURCES[@]}"
    ) </dev/null &
    BOOTED=$!
    end=$((SECONDS + LIMIT_S)) is_late=0
    while kill -0 $BOOTED 2>/dev/null; do
        sleep .1
        [ $SECONDS -ge $end ] || continue
        [ $is_late = 0 ] || { kill -9 $BOOTED || :; break; }
        is_late=1 end=$((SECONDS + 15))
        echo "out of time, powering off" >&2
        init=$(pgrep -P $BOOTED | head -1)
        [ -z "$init" ] || kill -s RTMIN+4 "$init" # to PID 1: poweroff
    done
    status=0
    { wait $BOOTED; } 2>/dev/null || status=$?
    [ $is_late = 0 ] || status=124
    exit $status
fi

# --- inside, as what will be PID 1: the root that it is to see --------------------------------------------
shift
OUT=$1 WORK=$2 V1=$3; shift 3
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$WORK/root"
mkdir "$WORK/root/"{upper,work,root}
ROOT=$WORK/root/root
mount -t overlay -o "lowerdir=/,upperdir=$WORK/root/upper,workdir=$WORK/root/work" overlay "$ROOT"
mkdir -p "$ROOT"/{proc,sys,dev,run,tmp,out,ci,var/log/journal}

mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
mount -o remount,bind,ro "$ROOT/proc/sys" # sysctls are not all namespaced
[ ! -e "$ROOT/proc/sysrq-trigger" ] || mount --bind /dev/null "$ROOT/proc/sysrq-trigger"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$ROOT/sys"
if [ -z "$V1" ]; then
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$ROOT/sys/fs/cgroup"
else
    mount -t tmpfs -o mode=755 tmpfs "$ROOT/sys/fs/cgroup"
    mkdir "$ROOT/sys/fs/cgroup/"{unified,systemd,pids}
    mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup/unified"
    mount -t cgroup -o none,name=systemd cgroup "$ROOT/sys/fs/cgroup/systemd"
    mount -t cgroup -o pids cgroup "$ROOT/sys/fs/cgroup/pids"
    mount -o remount,bind,ro "$ROOT/sys/fs/cgroup"
fi

mount -t tmpfs -o nosuid,mode=755 tmpfs "$ROOT/dev"
mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
while read -r name major minor; do mknod -m 666 "$ROOT/dev/$name" c "$major" "$minor"; done <<'NODES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
NODES
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${stream%:*}" "$ROOT/dev/${stream#*:}"; done
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$ROOT/dev/shm"
: >"$ROOT/dev/console"
mount --bind "$OUT/console.log" "$ROOT/dev/console"

mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$ROOT/run"
mkdir "$ROOT/run/lock"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
mount --bind "$OUT" "$ROOT/out"
mount --bind "$OUT/journal" "$ROOT/var/log/journal"
for source in "$@"; do
    mkdir -p "$ROOT/ci/$(basename "$source")"
    mount --bind "$source" "$ROOT/ci/$(basename "$source")"
    mount -o remount,bind,ro "$ROOT/ci/$(basename "$source")"
done

# Nothing that the host has enabled is to start, nor an earlier jwpingd of it to be found.
rm -rf "$ROOT"/etc/fstab "$ROOT"/etc/systemd/system/*.wants "$ROOT"/etc/init.d "$ROOT"/etc/rc?.d
rm -rf "$ROOT"/opt/jwpingd "$ROOT"/etc/jwpingd "$ROOT"/var/lib/jwpingd "$ROOT"/usr/share/jwpingd
rm -f "$ROOT"/usr/lib/{systemd/system,sysusers.d,tmpfiles.d}/jwpingd.*
tr -d - </proc/sys/kernel/random/uuid >"$ROOT/etc/machine-id"
SYSTEM=$ROOT/etc/systemd/system
mkdir -p "$SYSTEM" "$ROOT/etc/systemd/system.conf.d"
for unit in systemd-{udevd,udev-trigger,modules-load,timesyncd,networkd,resolved,logind}.service \
    systemd-udevd-{kernel,control}.socket getty.target; do
    ln -sfn /dev/null "$SYSTEM/$unit"
done
printf '[Manager]\nDefaultTimeoutStopSec=10s\nDefaultTimeoutAbortSec=5s\n' \
    >"$ROOT/etc/systemd/system.conf.d/90-test.conf"
cp "$WORK/command" "$ROOT/ci/command"
cat >"$SYSTEM/test-run.service" <<'UNIT'
[Unit]
After=multi-user.target dbus.socket
SuccessAction=exit
FailureAction=exit
[Service]
Type=exec
Environment=HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/bash /ci/command
StandardOutput=append:/out/output.log
StandardError=inherit
UNIT

ip link set lo up 2>/dev/null || :
cd "$ROOT"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared /
# container= makes PID 1 leave clock, modules and reboot alone; the capabilities for them go as well.
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm,-block_suspend \
    /lib/systemd/systemd --system systemd.unit=multi-user.target systemd.wants=test-run.service \
    systemd.show_status=1 >/dev/console 2>&1
