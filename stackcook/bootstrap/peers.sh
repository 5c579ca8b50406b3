# Tests the connections of a node to its peers, as root, without changing anything. Prints
# NAME=VALUE lines. $1: seconds, $2: bytes of a packet, $3: the node's own address, $4: the peers
# that are to be reached through the tunnel port, as a list of words; the rest: the peers that
# packets of this size must reach.
seconds=$1 bytes=$2 own=$3 tunnels=$4
shift 4

if command -v ping >/dev/null; then
  for peer; do
    (
      case $peer in *:*) payload=$((bytes - 48)) ;; *) payload=$((bytes - 28)) ;; esac
      # where small packets are not answered, nothing is known
      ping -c 2 -i 0.3 -W 2 "$peer" >/dev/null 2>&1 || exit 0
      said=$(ping -M do -c 2 -i 0.3 -W 2 -s $payload "$peer" 2>&1) ||
        echo "mtu $peer=$(echo "$said" | sed -nE 's/.*mtu ?= ?([0-9]+).*/\1/p' | head -n 1)"
    ) &
  done
else
  echo "untested=ping is not installed"
fi

# Each node listens at the tunnel port, and answers its peers. It asks from another port: a firewall
# lets answers pass to a port that has asked.
if test -z "$tunnels"; then
  :
elif command -v perl >/dev/null; then
  # shellcheck disable=SC2086
  perl -e '
    use strict; use Socket qw(:all); use IO::Select;
    my ($seconds, $own, @peers) = @ARGV;
    my (%in, %out, %to);
    for my $peer (@peers) {
      my ($why, $found) = getaddrinfo($peer, 6081, {flags => AI_NUMERICHOST, socktype => SOCK_DGRAM});
      next if $why;
      my $family = $found->{family};
      $to{$peer} = $found;
      next if $out{$family};
      socket($out{$family}, $family, SOCK_DGRAM, 0) or die "socket: $!\n";
      socket($in{$family}, $family, SOCK_DGRAM, 0) or die "socket: $!\n";
      setsockopt($in{$family}, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $family == AF_INET6;
      my $any = $family == AF_INET6 ? pack_sockaddr_in6(6081, IN6ADDR_ANY) : pack_sockaddr_in(6081, INADDR_ANY);
      bind($in{$family}, $any) or print "busy=$!\n";
    }
    my %waiting = %to;  # those that have not answered
    my %silent = %to;   # those that have not asked
    my $select = IO::Select->new(values %in, values %out);
    my ($end, $quiet) = (time + $seconds, 0);
    while (time < $end and (%waiting or %silent or $quiet < 3)) {
      send($out{$_->[1]{family}}, "$own $_->[0]", 0, $_->[1]{addr}) for map [$_, $waiting{$_}], keys %waiting;
      my @ready = $select->can_read(0.2);
      $quiet = @ready ? 0 : $quiet + 1;
      for my $socket (@ready) {
        defined(my $from = recv($socket, my $text, 200, 0)) or next;
        my ($asks, $asked) = split " ", $text;
        if (grep $socket == $_, values %out) {
          delete $waiting{$asked} if $asks eq $own;
        } elsif (defined $asked) {
          delete $silent{$asks};
          send($socket, $text, 0, $from);
        }
      }
    }
    print "tunnel $_=no answer\n" for sort keys %waiting;
  ' "$seconds" "$own" $tunnels
else
  echo "untested=perl is not installed"
fi
wait
