# Records the state of a host before the first change, as root. It is written once: later deploys
# find it there. Prints what it did, and then the record in base64.
set -u
umask 077
if test -d $record; then
  echo 'recorded before the first deploy'
elif test -e /etc/chef/stackcook.json; then
  echo 'no record: an earlier version of stackcook has changed this host already'
  exit 0
else
  rm -rf $record.new
  mkdir -p $record.new || exit 1
  for each in packages configured manual units enabled active users groups directories gems links up \
    addresses routes namespaces bridges domains rules mounts kernel etc; do
    list $each >$record.new/$each || exit 1
  done
  find /etc -xdev -type f -exec sha256sum {} + >$record.new/checksums || exit 1
  tar -C / --one-file-system --xattrs -czf $record.new/etc.tar.gz etc || exit 1
  cp /etc/machine-id $record.new/machine-id 2>/dev/null # a host may have none
  sync -f $record.new && mv $record.new $record || exit 1
  echo recorded
fi
tar -C $home -cz record | base64
