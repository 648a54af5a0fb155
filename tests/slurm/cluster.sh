#!/usr/bin/env bash
# A Slurm cluster of two nodes on this machine, for tests/slurm: no systemd, no cgroups, no accounting. As root, Debian.
#
#   tests/slurm/cluster.sh up        install Slurm where it is missing, start munged, slurmctld and two slurmd
#   tests/slurm/cluster.sh down      stop them, with the jobs that are left
#
# Everything lies in $SELFLOOP_CLUSTER (default selfloop-cluster in $TMPDIR) but for the link /etc/slurm/slurm.conf, which
# `down` removes: the job steps of Snakemake's Slurm plugin do not keep SLURM_CONF.
set -euo pipefail

home=${SELFLOOP_CLUSTER:-${TMPDIR:-/tmp}/selfloop-cluster}
conf=/etc/slurm/slurm.conf
nodes="n1 n2"
export PATH=$PATH:/usr/sbin

fail() { echo "cluster.sh: $*" >&2; exit 1; }

configure() {
    local host node port=17410
    host=$(hostname -s)
    mkdir -p "$home"/{state,log,munge} /etc/slurm
    cat >"$home/slurm.conf" <<CONF
ClusterName=selfloop
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17400
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$home/munge/socket
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool.%n
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.%n.pid
SlurmctldLogFile=$home/log/slurmctld
SlurmdLogFile=$home/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=5
AccountingStorageType=accounting_storage/none
PartitionName=main Nodes=ALL Default=YES DefaultTime=00:30:00 State=UP
CONF
    for node in $nodes; do
        mkdir -p "$home/spool.$node"
        port=$((port + 1))
        echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=2 RealMemory=4000 State=UNKNOWN" \
            >>"$home/slurm.conf"
    done
    [ ! -e "$conf" ] || [ -L "$conf" ] || fail "$conf is there: this machine has a Slurm of its own"
    ln -sfn "$home/slurm.conf" "$conf"
}

munge() {
    [ -s "$home/munge/key" ] || head -c 1024 /dev/urandom >"$home/munge/key"
    chown -R munge: "$home/munge"
    chmod 400 "$home/munge/key"
    setpriv --reuid munge --regid munge --clear-groups munged --force --key-file "$home/munge/key" \
        --socket "$home/munge/socket" --pid-file "$home/munge/pid" --log-file "$home/munge/log" \
        --seed-file "$home/munge/seed"
}

up() {
    [ "$(id -u)" = 0 ] || fail "needs root"
    if ! command -v slurmctld munged >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -qq -y --no-install-recommends slurm-wlm munge >/dev/null || fail "Slurm cannot be installed"
    fi
    down 2>/dev/null
    configure
    munge
    slurmctld -i
    for node in $nodes; do slurmd -N "$node"; done
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" = 2 ] && return
        sleep 1
    done
    tail -n 5 "$home"/log/* >&2
    fail "the nodes do not come up"
}

down() {
    [ ! -e "$home/slurmctld.pid" ] || timeout 20 scancel -Q -u root || true
    for pid in "$home"/slurmd.*.pid "$home/slurmctld.pid" "$home/munge/pid"; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true
    done
    for _ in $(seq 20); do
        pgrep "slurm|munged" >/dev/null || break
        sleep 0.5
    done
    [ "$(readlink "$conf" || true)" != "$home/slurm.conf" ] || rm "$conf"
}

case ${1:-} in
    up | down) "$1" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
