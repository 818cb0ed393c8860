#!/usr/bin/env bash
# A real Kafka broker for tests, without Docker: one node, KRaft, loopback only.
#
#   kafka.sh install                   fetches Kafka once into ${WASMILL_CACHE:-~/.cache/wasmill}/kafka-VERSION
#   kafka.sh start DIR PORT [--sasl]   runs a broker at 127.0.0.1:PORT in the foreground, data and logs in DIR;
#                                      started again with the same DIR it has its data again
#
# --sasl: clients must log in by SASL/PLAIN as user `wasmill`, password `wasmill-secret`.
# KAFKA_PARTITIONS: partitions of topics that are created by being used (default 1). KAFKA_HEAP: default 512m.
set -euo pipefail

version=4.1.0
cache=${WASMILL_CACHE:-$HOME/.cache/wasmill}
home=$cache/kafka-$version

need() { command -v "$1" >/dev/null || { echo "kafka.sh: $1 is missing: $2" >&2; exit 1; }; }

install() {
    need java "install a Java runtime of version 17 or later (Debian: apt-get install openjdk-17-jre-headless)"
    [[ -e $home/complete ]] && return
    need mvn "install Maven (Debian: apt-get install maven)"
    mkdir -p "$cache"
    exec 8>"$cache/kafka.lock"
    flock 8
    [[ -e $home/complete ]] && return
    echo "installing Apache Kafka $version into $home (43 MB, from Maven's repository)" >&2
    rm -rf "$home"
    mkdir -p "$home"
    cat >"$home/pom.xml" <<XML
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>wasmill</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
    (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib) >&2
    touch "$home/complete"
}

# free_port NOT: a port of loopback that nothing listens on.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        [[ $port != "$1" ]] && ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && echo "$port" && return
    done
}

properties() { # DIR PORT CONTROLLER_PORT SASL
    local dir=$1 port=$2 controller=$3 sasl=$4 protocol=PLAINTEXT
    [[ $sasl ]] && protocol=SASL_PLAINTEXT
    cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=CLIENTS://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=CLIENTS://127.0.0.1:$port
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:$protocol,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
num.partitions=${KAFKA_PARTITIONS:-1}
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
    [[ $sasl ]] && cat <<PROPERTIES
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
    username="wasmill" password="wasmill-secret" user_wasmill="wasmill-secret";
PROPERTIES
    return 0
}

start() {
    local dir=${1:?kafka.sh start: DIR is missing} port=${2:?kafka.sh start: PORT is missing} sasl=${3:-}
    install
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    if [[ ! -e $dir/server.properties ]]; then
        properties "$dir" "$port" "$(free_port "$port")" "$sasl" >"$dir/server.properties"
        # An id is 22 characters of url-safe base64. It is given with `=`, for it may begin with a dash.
        local id
        id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c -22)
        java -cp "$home/lib/*" kafka.tools.StorageTool format --standalone --cluster-id="$id" \
            -c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 1; }
    fi
    # One tier of compilation is enough for tests, and starts sooner.
    exec java "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$home/lib/*" kafka.Kafka \
        "$dir/server.properties"
}

case ${1:-} in
install) install ;;
start) shift; start "$@" ;;
*) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
