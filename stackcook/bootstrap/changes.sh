# Notes what a step changes on a host, as root: what changes between steps is not the cloud's.
# $1: `begin` or `end`. If a step was killed, its notes stay, and the end of the next step completes them.
note() {
  if ! test -d $record; then return; fi
  if test "$1" = begin; then
    if test -e $home/began; then return; fi
    rm -rf $home/before
    mkdir -m 700 $home/before
    for each in $came; do list $each >$home/before/$each; done
    touch $home/began
  elif test -e $home/began; then
    mkdir -p -m 700 $home/came
    for each in $came; do
      list $each | comm -13 $home/before/$each - >>$home/came/$each
    done
    find /etc -xdev -cnewer $home/began >>$home/touched || : # a file may vanish meanwhile
    rm -rf $home/began $home/before
  fi
}
note "$1"
